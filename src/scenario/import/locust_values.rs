//! Values of Python expressions, as far as a scenario can make them: JSON whose texts have holes.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::draft::{BARE, Draft, Extracted, FoundIn, PLACEHOLDER};
use super::hide::replace_outside_holes;

/// Calls within calls that are followed.
const DEPTH_MAX: usize = 8;
/// Holes whose value is drawn for each request.
const DRAWS: [&str; 5] = ["{{uuid", "{{random", "{{choice", "{{sequence", "{{now"];
/// Loggers, and methods of an answer: they change nothing that is sent.
pub(super) const SILENT: [&str; 16] = [
    "print",
    "debug",
    "info",
    "warning",
    "warn",
    "error",
    "critical",
    "exception",
    "success",
    "failure",
    "interrupt",
    "log",
    "raise_for_status",
    "on_start",
    "on_stop",
    "__init__",
];

/// The class of a node of the syntax tree.
pub(super) fn kind(node: &Json) -> &str {
    node.get("_").and_then(Json::as_str).unwrap_or_default()
}

/// A field of a node; `null` when it has none.
pub(super) fn field<'n>(node: &'n Json, name: &str) -> &'n Json {
    node.get(name).unwrap_or(&Json::Null)
}

/// A text of a node.
pub(super) fn word<'n>(node: &'n Json, name: &str) -> &'n str {
    field(node, name).as_str().unwrap_or_default()
}

/// The nodes of a list.
pub(super) fn nodes<'n>(node: &'n Json, name: &str) -> &'n [Json] {
    field(node, name).as_array().map_or(&[], Vec::as_slice)
}

/// `line 7`.
pub(super) fn place(node: &Json) -> String {
    format!("line {}", field(node, "line"))
}

/// `a.b.c` of names and attributes; a call in it is `a().b`.
pub(super) fn dotted(node: &Json) -> String {
    match kind(node) {
        "Name" => word(node, "id").to_owned(),
        "Attribute" => format!("{}.{}", dotted(field(node, "value")), word(node, "attr")),
        "Call" => format!("{}()", dotted(field(node, "func"))),
        _ => String::new(),
    }
}

/// Whether a condition holds for a node or any below it.
pub(super) fn any(node: &Json, holds: &dyn Fn(&Json) -> bool) -> bool {
    match node {
        Json::Array(items) => items.iter().any(|item| any(item, holds)),
        Json::Object(fields) => holds(node) || fields.values().any(|field| any(field, holds)),
        _ => false,
    }
}

/// A value as text.
pub(super) fn text_of(value: &Json) -> String {
    match value {
        Json::String(text) => text.trim_start_matches(BARE).to_owned(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Null => "None".to_owned(),
        other => other.to_string(),
    }
}

/// Whether a value is drawn anew at each use.
pub(super) fn is_drawn(value: &Json) -> bool {
    let text = value.to_string();
    DRAWS.iter().any(|draw| text.contains(draw))
}

/// A value that is known before the run: of a variable of the environment, its default.
pub(super) fn settled(place: String, value: Json, draft: &mut Draft) -> Json {
    let hole = text_of(&value);
    let name = hole.strip_prefix("{{").and_then(|it| it.strip_suffix("}}"));
    let variable = draft
        .variables
        .iter()
        .find(|it| Some(it.name.as_str()) == name);
    let default = variable.filter(|it| it.value != PLACEHOLDER);
    let Some((name, default)) = default.map(|it| (it.name.clone(), it.value.clone())) else {
        return value;
    };
    draft.note(place, format!("{name}: the default is taken, {default}"));
    match serde_json::from_str(&default) {
        Ok(Json::Number(number)) => Json::from(number),
        _ => Json::from(default),
    }
}

/// What names stand for.
#[derive(Clone, Default)]
pub(super) struct Scope<'n> {
    /// Constants of the module: expressions, read when they are used.
    pub constants: HashMap<String, &'n Json>,
    /// Attributes of the user.
    pub attributes: HashMap<String, Json>,
    /// Variables of the present function, and whether they were used.
    pub locals: HashMap<String, (Json, bool)>,
    /// Functions of the module and methods of the user, by name.
    pub functions: HashMap<String, &'n Json>,
    /// Answers by variable: the index of the step, and the pointer to the part of the JSON.
    pub answers: HashMap<String, (usize, String)>,
    /// Values that steps extract, by index of the step.
    pub extracted: Vec<(usize, Extracted)>,
    /// All names of extracted values.
    pub names: Vec<String>,
    pub depth: usize,
}

impl<'n> Scope<'n> {
    /// The value of an expression. What cannot be translated becomes a variable, with a note.
    pub fn value(&mut self, node: &'n Json, draft: &mut Draft) -> Json {
        if let Some(hole) = self.extract(node, "", draft) {
            return Json::from(hole);
        }
        match kind(node) {
            "Constant" => match field(node, "value") {
                Json::String(text) => Json::from(draft.own_text(&place(node), text)),
                other => other.clone(),
            },
            "JoinedStr" => {
                let parts = nodes(node, "values").iter();
                Json::from(parts.map(|part| self.text(part, draft)).collect::<String>())
            }
            "FormattedValue" => Json::from(self.text(field(node, "value"), draft)),
            "Name" => self.name(node, draft),
            "Attribute" => self.attribute(node, draft),
            "Dict" => {
                let mut members = Map::new();
                for (key, value) in nodes(node, "keys").iter().zip(nodes(node, "values")) {
                    let value = self.value(value, draft);
                    match (key, value) {
                        // `**other`
                        (Json::Null, Json::Object(other)) => members.extend(other),
                        (Json::Null, _) => {}
                        (key, value) => {
                            let key = self.text(key, draft);
                            members.insert(key, value);
                        }
                    }
                }
                Json::from(members)
            }
            "List" | "Tuple" | "Set" => {
                let items = nodes(node, "elts").iter();
                items.map(|item| self.value(item, draft)).collect()
            }
            "UnaryOp" if kind(field(node, "op")) == "USub" => {
                match self.value(field(node, "operand"), draft) {
                    Json::Number(number) if number.is_i64() => {
                        Json::from(-number.as_i64().unwrap_or(0))
                    }
                    Json::Number(number) => Json::from(-number.as_f64().unwrap_or(0.0)),
                    other => other,
                }
            }
            "BinOp" => self.operation(node, draft),
            "Subscript" => self.subscript(node, draft),
            "Call" => self.call(node, draft),
            "IfExp" => {
                draft.note(place(node), "of a conditional value the first is taken");
                self.value(field(node, "body"), draft)
            }
            "BoolOp" => match nodes(node, "values").first() {
                Some(first) => self.value(first, draft),
                None => Json::Null,
            },
            "Await" => self.value(field(node, "value"), draft),
            other => self.unknown(node, &format!("{other} expression"), draft),
        }
    }

    /// The value of an expression as text.
    pub fn text(&mut self, node: &'n Json, draft: &mut Draft) -> String {
        text_of(&self.value(node, draft))
    }

    /// A variable for a value that a scenario cannot make.
    fn unknown(&mut self, node: &Json, what: &str, draft: &mut Draft) -> Json {
        let name = draft.add_variable("value", PLACEHOLDER, &format!("{}: {what}", place(node)));
        draft.note(
            place(node),
            format!("{what} is not translated; set {name} in [variables]"),
        );
        Json::from(format!("{{{{{name}}}}}"))
    }

    fn name(&mut self, node: &'n Json, draft: &mut Draft) -> Json {
        let name = word(node, "id");
        if let Some((value, is_used)) = self.locals.get_mut(name) {
            if *is_used && is_drawn(value) {
                draft.note(place(node), format!("{name} is drawn anew at each use, not once; make it a variable if it must be the same"));
            }
            *is_used = true;
            return value.clone();
        }
        // Taken out meanwhile: it may name itself.
        if let Some(expression) = self.constants.remove(name) {
            let value = self.value(expression, draft);
            self.constants.insert(name.to_owned(), expression);
            return value;
        }
        let hole = draft.placeholder(name, &format!("{}: {name}", place(node)));
        draft.note(
            place(node),
            format!("the value of {name} is not known; set {hole} in [variables]"),
        );
        Json::from(format!("{{{{{hole}}}}}"))
    }

    fn attribute(&mut self, node: &'n Json, draft: &mut Draft) -> Json {
        let (path, attribute) = (dotted(node), word(node, "attr"));
        let is_own = ["self.", "self.user.", "self.parent.", "cls.", "user."]
            .iter()
            .any(|owner| path.strip_prefix(owner) == Some(attribute));
        if is_own {
            if let Some(value) = self.attributes.get(attribute) {
                return value.clone();
            }
            if attribute == "host" {
                return Json::from("");
            }
            let hole = draft.placeholder(attribute, &format!("{}: {path}", place(node)));
            draft.note(
                place(node),
                format!("the value of {path} is not known; set {hole} in [variables]"),
            );
            return Json::from(format!("{{{{{hole}}}}}"));
        }
        let of_uuid = dotted(field(node, "value")).ends_with("uuid4()");
        match attribute {
            "hex" if of_uuid => {
                draft.note(place(node), "uuid4().hex is written with its hyphens");
                Json::from("{{uuid}}")
            }
            _ => self.unknown(node, &path, draft),
        }
    }

    fn operation(&mut self, node: &'n Json, draft: &mut Draft) -> Json {
        let (left, right) = (self.value(field(node, "left"), draft), field(node, "right"));
        let operator = kind(field(node, "op"));
        if operator == "Mod" && left.is_string() {
            let values = match kind(right) {
                "Tuple" => nodes(right, "elts")
                    .iter()
                    .map(|item| self.text(item, draft))
                    .collect(),
                _ => vec![self.text(right, draft)],
            };
            return Json::from(filled(&text_of(&left), &values));
        }
        let right = self.value(right, draft);
        // Milliseconds from seconds: int(time.time() * 1000).
        if operator == "Mult"
            && left == format!("{BARE}{{{{now_s}}}}")
            && right.as_f64() == Some(1_000.0)
        {
            return Json::from(format!("{BARE}{{{{now_ms}}}}"));
        }
        match (operator, &left, &right) {
            ("Add", Json::String(a), Json::String(b)) if !a.starts_with(BARE) => {
                Json::from(format!("{a}{}", b.trim_start_matches(BARE)))
            }
            ("Add", Json::Array(a), Json::Array(b)) => a.iter().chain(b).cloned().collect(),
            ("BitOr", Json::Object(a), Json::Object(b)) => {
                Json::from_iter(a.clone().into_iter().chain(b.clone()))
            }
            ("Add" | "Sub" | "Mult", Json::Number(a), Json::Number(b)) => {
                let (a, b) = (a.as_f64().unwrap_or(0.0), b.as_f64().unwrap_or(0.0));
                let result = match operator {
                    "Add" => a + b,
                    "Sub" => a - b,
                    _ => a * b,
                };
                match result.fract() == 0.0 {
                    true => Json::from(result as i64),
                    false => Json::from(result),
                }
            }
            _ => self.unknown(node, "arithmetic on values of the run", draft),
        }
    }

    fn subscript(&mut self, node: &'n Json, draft: &mut Draft) -> Json {
        let (of, key) = (field(node, "value"), field(node, "slice"));
        if dotted(of).ends_with("os.environ") {
            let name = word(key, "value");
            return self.environment(name, None, draft);
        }
        let of = self.value(of, draft);
        let key = field(key, "value");
        let found = match (&of, key) {
            (Json::Object(members), Json::String(key)) => members.get(key),
            (Json::Array(items), Json::Number(at)) => {
                at.as_u64().and_then(|at| items.get(at as usize))
            }
            _ => None,
        };
        match found {
            Some(found) => found.clone(),
            None => self.unknown(node, "an element", draft),
        }
    }

    fn environment(&mut self, name: &str, default: Option<Json>, draft: &mut Draft) -> Json {
        let comment = format!("environment variable of the locustfile; or \"{{{{env.{name}}}}}\"");
        let hole = draft.placeholder(name, &comment);
        if let (Some(default), Some(variable)) = (
            default,
            draft.variables.iter_mut().find(|it| it.name == hole),
        ) {
            variable.value = text_of(&default);
        }
        Json::from(format!("{{{{{hole}}}}}"))
    }

    fn call(&mut self, node: &'n Json, draft: &mut Draft) -> Json {
        let function = field(node, "func");
        let path = dotted(function);
        let last = path.rsplit('.').next().unwrap_or_default();
        let arguments = nodes(node, "args");
        let first = arguments.first();
        let bare = |text: String| Json::from(format!("{BARE}{text}"));
        match (path.as_str(), last) {
            (_, "uuid4" | "uuid1") => Json::from("{{uuid}}"),
            ("random.randint" | "randint" | "random.randrange" | "randrange", _) => {
                let bounds: Vec<Json> = arguments.iter().map(|it| self.value(it, draft)).collect();
                let numbers: Vec<i64> = bounds.iter().filter_map(Json::as_i64).collect();
                let is_open = last == "randrange";
                match numbers[..] {
                    [from, to] if from <= to => bare(format!(
                        "{{{{random {from}..{}}}}}",
                        to - i64::from(is_open)
                    )),
                    [to] if is_open && to > 0 => bare(format!("{{{{random 0..{}}}}}", to - 1)),
                    _ => self.unknown(node, &path, draft),
                }
            }
            ("random.choice" | "choice", _) => match first {
                Some(options) => self.choice(options, draft),
                None => Json::Null,
            },
            ("random.random" | "random.uniform" | "uniform", _) => {
                let bounds: Vec<f64> = arguments
                    .iter()
                    .filter_map(|it| self.value(it, draft).as_f64())
                    .collect();
                let middle = match bounds[..] {
                    [from, to] => (from + to) / 2.0,
                    _ => 0.5,
                };
                draft.note(place(node), format!("{path}: a scenario draws whole numbers; the middle {middle} is sent each time"));
                Json::from(middle)
            }
            ("time.time" | "time", _) => bare("{{now_s}}".to_owned()),
            (_, "isoformat" | "utcnow" | "now") => Json::from("{{now}}"),
            (_, "strftime") => {
                draft.note(place(node), "the format of the time is not translated: {{now}} is RFC 3339, {{now_s}} a number");
                Json::from("{{now}}")
            }
            ("str", _) => first.map_or(Json::from(""), |it| Json::from(self.text(it, draft))),
            ("int" | "float", _) if arguments.len() == 1 => {
                let value = self.value(&arguments[0], draft);
                match settled(place(node), value.clone(), &mut draft.clone()).is_number() {
                    true => settled(place(node), value, draft),
                    false => value,
                }
            }
            ("round" | "dict" | "list" | "copy.copy" | "copy.deepcopy", _)
                if arguments.len() == 1 =>
            {
                self.value(&arguments[0], draft)
            }
            ("dict", _) => {
                let pairs = nodes(node, "keywords").iter();
                let pairs = pairs.map(|pair| {
                    (
                        word(pair, "arg").to_owned(),
                        self.value(field(pair, "value"), draft),
                    )
                });
                Json::from_iter(pairs.collect::<Vec<_>>())
            }
            ("json.dumps" | "dumps" | "orjson.dumps" | "ujson.dumps", _) => match first {
                Some(value) => Json::from(self.value(value, draft).to_string()),
                None => Json::Null,
            },
            ("os.environ.get" | "os.getenv" | "environ.get" | "getenv", _) => {
                let default = arguments
                    .get(1)
                    .map(|it| self.value(it, draft))
                    .filter(|it| !it.is_null());
                let name = first.map(|it| self.text(it, draft)).unwrap_or_default();
                match name.is_empty() || name.contains("{{") {
                    true => self.unknown(node, &format!("{path}(...)"), draft),
                    false => self.environment(&name, default, draft),
                }
            }
            ("getattr", _) if first.is_some_and(|it| word(it, "id") == "self") => {
                let name = arguments.get(1).map(|it| word(it, "value"));
                let known = name.and_then(|name| self.attributes.get(name)).cloned();
                match (known, arguments.get(2)) {
                    (Some(known), _) => known,
                    (None, Some(default)) => self.value(default, draft),
                    (None, None) => self.unknown(node, "getattr(...)", draft),
                }
            }
            (_, "replace") if kind(function) == "Attribute" && arguments.len() == 2 => {
                let text = self.text(field(function, "value"), draft);
                let (from, to) = (
                    self.text(&arguments[0], draft),
                    self.text(&arguments[1], draft),
                );
                match from.contains("{{") {
                    true => self.unknown(node, "replace(...) of a value of the run", draft),
                    false => Json::from(replace_outside_holes(&text, &from, &to)),
                }
            }
            (_, "lstrip" | "rstrip") if kind(function) == "Attribute" && arguments.len() == 1 => {
                let text = self.text(field(function, "value"), draft);
                let signs = self.text(&arguments[0], draft);
                let is_sign = |c: char| signs.contains(c) && !['{', '}'].contains(&c);
                Json::from(match last {
                    "lstrip" => text.trim_start_matches(is_sign),
                    _ => text.trim_end_matches(is_sign),
                })
            }
            (_, "format") if kind(function) == "Attribute" => {
                let text = self.text(field(function, "value"), draft);
                let values: Vec<String> = arguments.iter().map(|it| self.text(it, draft)).collect();
                let mut text = filled(&text, &values);
                for pair in nodes(node, "keywords") {
                    let value = self.text(field(pair, "value"), draft);
                    text = text.replace(&format!("{{{}}}", word(pair, "arg")), &value);
                }
                Json::from(text)
            }
            (_, "encode" | "strip" | "copy") if kind(function) == "Attribute" => {
                self.value(field(function, "value"), draft)
            }
            _ => self.function(node, &path, draft),
        }
    }

    /// The value that a function of the file returns.
    fn function(&mut self, node: &'n Json, path: &str, draft: &mut Draft) -> Json {
        let name = path.rsplit('.').next().unwrap_or_default();
        let is_own = path == name || path == format!("self.{name}");
        let function = self
            .functions
            .get(name)
            .copied()
            .filter(|_| is_own && self.depth < DEPTH_MAX);
        let body = function
            .map(|function| nodes(function, "body"))
            .unwrap_or_default();
        let is_return = |statement: &&Json| kind(statement) == "Return";
        let Some(returned) = body.iter().find(is_return) else {
            return self.unknown(node, &format!("{path}(...)"), draft);
        };
        let before = self.enter(function.unwrap_or(node), node, draft);
        for statement in body {
            let targets = nodes(statement, "targets");
            if let ("Assign", [target]) = (kind(statement), targets)
                && kind(target) == "Name"
            {
                let value = self.value(field(statement, "value"), draft);
                self.locals
                    .insert(word(target, "id").to_owned(), (value, false));
            }
        }
        let value = self.value(field(returned, "value"), draft);
        self.leave(before);
        value
    }

    /// Enters a function: its parameters get the values of a call. Returns what [`Scope::leave`] restores.
    pub fn enter(
        &mut self,
        function: &'n Json,
        call: &'n Json,
        draft: &mut Draft,
    ) -> HashMap<String, (Json, bool)> {
        let parameters = field(function, "args");
        let names = nodes(parameters, "args")
            .iter()
            .map(|it| word(it, "arg"))
            .filter(|name| *name != "self");
        let names: Vec<&str> = names.collect();
        let mut locals = HashMap::new();
        let defaults = nodes(parameters, "defaults");
        let first_default = names.len().saturating_sub(defaults.len());
        for (name, value) in names.iter().skip(first_default).zip(defaults) {
            locals.insert((*name).to_owned(), (self.value(value, draft), false));
        }
        for (name, value) in names.iter().zip(nodes(call, "args")) {
            locals.insert((*name).to_owned(), (self.value(value, draft), false));
        }
        for pair in nodes(call, "keywords") {
            let value = self.value(field(pair, "value"), draft);
            locals.insert(word(pair, "arg").to_owned(), (value, false));
        }
        // `**kwargs`: what has no parameter of its own.
        if let Some(rest) = field(field(parameters, "kwarg"), "arg").as_str() {
            let is_rest = |pair: &&Json| !names.contains(&word(pair, "arg"));
            let pairs = nodes(call, "keywords").iter().filter(is_rest);
            let pairs = pairs.filter_map(|pair| {
                let name = word(pair, "arg").to_owned();
                Some((name.clone(), locals.remove(&name)?.0))
            });
            let pairs = Json::from_iter(pairs.collect::<Vec<_>>());
            locals.insert(rest.to_owned(), (pairs, false));
        }
        self.depth += 1;
        std::mem::replace(&mut self.locals, locals)
    }

    /// Leaves a function.
    pub fn leave(&mut self, before: HashMap<String, (Json, bool)>) {
        self.depth -= 1;
        self.locals = before;
    }

    fn choice(&mut self, options: &'n Json, draft: &mut Draft) -> Json {
        let Json::Array(options_known) = self.value(options, draft) else {
            return self.unknown(options, "random.choice of a list that is not known", draft);
        };
        let is_scalar = |it: &Json| it.is_string() || it.is_number();
        let texts: Vec<String> = options_known.iter().map(text_of).collect();
        let is_plain = |text: &String| {
            !text.is_empty() && !text.contains(['|', '{', '}']) && text.trim() == text
        };
        match (&options_known[..], texts.iter().all(is_plain)) {
            ([only], _) => only.clone(),
            ([], _) => Json::Null,
            (all, true) if all.iter().all(is_scalar) => {
                let is_number = all.iter().all(Json::is_number);
                Json::from(format!(
                    "{}{{{{choice {}}}}}",
                    if is_number { BARE } else { "" },
                    texts.join("|")
                ))
            }
            (all, _) => {
                draft.note(place(options), "random.choice: a scenario chooses between short texts; the first is sent each time");
                all[0].clone()
            }
        }
    }

    /// The hole of a value that an answer holds: `answer.json()["a"]["b"]`, `answer.headers["X"]`. `None` for any other
    /// expression. The value gets the wanted name, or that of its member.
    pub fn extract(&mut self, node: &Json, wanted: &str, draft: &mut Draft) -> Option<String> {
        let (step, from) = self.found_in(node)?;
        let last = match &from {
            FoundIn::Json(pointer) => pointer
                .rsplit('/')
                .find(|part| part.parse::<usize>().is_err())?,
            FoundIn::Header(name) => name,
        };
        let known = self
            .extracted
            .iter()
            .find(|(at, it)| *at == step && it.from == from);
        if let Some((_, known)) = known {
            return Some(format!("{{{{{}}}}}", known.name));
        }
        let wanted = draft.free_name(if wanted.is_empty() { last } else { wanted });
        let mut name = wanted.clone();
        let mut number = 2;
        while self.names.contains(&name) {
            name = format!("{wanted}_{number}");
            number += 1;
        }
        self.names.push(name.clone());
        let hole = format!("{{{{{name}}}}}");
        let extracted = Extracted {
            name,
            from,
            bytes_max: None,
        };
        self.extracted.push((step, extracted));
        Some(hole)
    }

    /// The step and the place in its answer that an expression reads.
    fn found_in(&self, node: &Json) -> Option<(usize, FoundIn)> {
        let (of, key) = match kind(node) {
            "Subscript" => (field(node, "value"), field(field(node, "slice"), "value")),
            "Call" if word(field(node, "func"), "attr") == "get" => {
                let key = nodes(node, "args").first().map(|key| field(key, "value"));
                (field(field(node, "func"), "value"), key?)
            }
            _ => return None,
        };
        if kind(of) == "Attribute" && word(of, "attr") == "headers" {
            let (step, _) = self.answers.get(word(field(of, "value"), "id"))?;
            return Some((*step, FoundIn::Header(key.as_str()?.to_owned())));
        }
        let (step, pointer) = self.json_of(of)?;
        let key = match key {
            Json::String(key) => key.replace('~', "~0").replace('/', "~1"),
            Json::Number(at) => at.as_u64()?.to_string(),
            _ => return None,
        };
        Some((step, FoundIn::Json(format!("{pointer}/{key}"))))
    }

    /// The step and the pointer of an expression that is a part of an answer's JSON.
    pub fn json_of(&self, node: &Json) -> Option<(usize, String)> {
        match kind(node) {
            "Call" if word(field(node, "func"), "attr") == "json" => self
                .answers
                .get(word(field(field(node, "func"), "value"), "id"))
                .cloned(),
            "Attribute" if word(node, "attr") == "js" => {
                self.answers.get(word(field(node, "value"), "id")).cloned()
            }
            "Name" => self
                .answers
                .get(word(node, "id"))
                .filter(|(_, pointer)| !pointer.is_empty())
                .cloned()
                .or_else(|| {
                    self.answers
                        .get(&format!("json {}", word(node, "id")))
                        .cloned()
                }),
            "Subscript" | "Call" => match self.found_in(node)? {
                (step, FoundIn::Json(pointer)) => Some((step, pointer)),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A text with `%s`, `%d`, `{}`, `{0}` replaced in turn.
fn filled(text: &str, values: &[String]) -> String {
    let mut out = text.to_owned();
    for (nth, value) in values.iter().enumerate() {
        let numbered = format!("{{{nth}}}");
        if out.contains(&numbered) && !out.contains(&format!("{{{numbered}}}")) {
            out = out.replace(&numbered, value);
            continue;
        }
        let signs = ["%s", "%d", "{}"]
            .iter()
            .filter_map(|sign| Some((out.find(sign)?, sign.len())));
        if let Some((at, length)) = signs.min() {
            out.replace_range(at..at + length, value);
        }
    }
    out
}

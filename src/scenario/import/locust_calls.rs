//! Statements of Python -> steps: calls of the client, pauses, and what is taken from answers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use super::draft::{BARE, Body, Draft, Step, change_json};
use super::locust_values::{
    SILENT, Scope, any, dotted, field, is_drawn, kind, nodes, place, settled, text_of, word,
};
use super::request::{METHODS, add_header, set_body};
use super::target::{name_of, pairs, split};

/// Arguments of a request that change nothing that is sent.
const IGNORED_ARGUMENTS: [&str; 7] = [
    "catch_response",
    "verify",
    "stream",
    "context",
    "cert",
    "proxies",
    "hooks",
];
/// Methods within methods that are followed.
const DEPTH_MAX: usize = 8;

/// Walks through statements and collects the steps.
pub(super) struct Walker<'n, 'd> {
    pub scope: Scope<'n>,
    pub draft: &'d mut Draft,
    /// The steps so far of the present function.
    pub steps: Vec<Step>,
    /// Fields that the client sends with every request from now on.
    pub client_headers: Vec<(String, String)>,
    /// Attributes become variables only where they are set once per user.
    pub is_start: bool,
}

/// Whether a node calls the HTTP client.
pub(super) fn is_request(node: &Json) -> bool {
    let function = field(node, "func");
    if kind(node) != "Call" || kind(function) != "Attribute" {
        return false;
    }
    let method = word(function, "attr");
    let owner = dotted(field(function, "value"));
    let is_method = method == "request" || METHODS.contains(&method.to_ascii_uppercase().as_str());
    (owner == "client" || owner.ends_with(".client")) && is_method
        || owner == "self" && method == "rest"
}

/// The request within `client.get(...).json()["a"]`.
fn request_within(node: &Json) -> Option<&Json> {
    match kind(node) {
        "Call" if is_request(node) => Some(node),
        "Call" => request_within(field(node, "func")),
        "Attribute" | "Subscript" | "Await" => request_within(field(node, "value")),
        _ => None,
    }
}

/// What a function returns at last, also within `with`, `if` and `try`.
fn returned_by(statements: &[Json]) -> Option<&Json> {
    statements.iter().rev().find_map(|statement| {
        if kind(statement) == "Return" {
            return Some(field(statement, "value"));
        }
        let within = ["body", "orelse", "finalbody"].into_iter();
        within
            .filter(|_| !["FunctionDef", "AsyncFunctionDef"].contains(&kind(statement)))
            .find_map(|part| returned_by(nodes(statement, part)))
    })
}

/// `token`, `self.token`, `token is not None`, and several of them joined by `and`.
fn is_guard(test: &Json) -> bool {
    let is_none = |node: &Json| kind(node) == "Constant" && field(node, "value").is_null();
    match kind(test) {
        "Name" | "Attribute" => true,
        "BoolOp" => kind(field(test, "op")) == "And" && nodes(test, "values").iter().all(is_guard),
        "Compare" => {
            let is_not = nodes(test, "ops")
                .first()
                .is_some_and(|it| kind(it) == "IsNot");
            is_not && nodes(test, "comparators").iter().all(is_none)
        }
        _ => false,
    }
}

fn has_request(node: &Json) -> bool {
    any(node, &is_request)
}

impl<'n> Walker<'n, '_> {
    /// The steps of a function, in order. Its own variables are forgotten.
    pub fn function(&mut self, function: &'n Json) -> Vec<Step> {
        self.scope.locals.clear();
        self.scope.answers.clear();
        self.statements(nodes(function, "body"));
        let mut steps = std::mem::take(&mut self.steps);
        for (at, extracted) in self.scope.extracted.drain(..) {
            if let Some(step) = steps.get_mut(at) {
                step.extract.push(extracted);
            }
        }
        steps
    }

    fn statements(&mut self, statements: &'n [Json]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, node: &'n Json) {
        match kind(node) {
            "Expr" | "Return" | "Await" => self.expression(field(node, "value")),
            "Assign" => {
                for target in nodes(node, "targets") {
                    self.assign(target, field(node, "value"));
                }
            }
            "AnnAssign" => self.assign(field(node, "target"), field(node, "value")),
            "With" | "AsyncWith" => self.with(node),
            "If" => self.condition(node),
            "Assert" => self.assertion(node),
            "While" => self.while_loop(node),
            "For" | "AsyncFor" => {
                if has_request(node) {
                    self.note(
                        node,
                        "a for loop is not translated; its requests are written once",
                    );
                }
                let target = field(node, "target");
                let items = self.scope.value(field(node, "iter"), &mut Draft::default());
                let first = items.get(0).cloned().unwrap_or(Json::from(0));
                self.scope
                    .locals
                    .insert(word(target, "id").to_owned(), (first, false));
                self.statements(nodes(node, "body"));
            }
            "Try" | "TryStar" => {
                self.statements(nodes(node, "body"));
                self.statements(nodes(node, "finalbody"));
                if any(field(node, "handlers"), &is_request) {
                    self.note(node, "the requests of an except are not translated");
                }
            }
            "AugAssign" | "FunctionDef" | "AsyncFunctionDef" | "Match" if has_request(node) => {
                self.note(node, "requests in it are not translated");
            }
            _ => {}
        }
    }

    fn note(&mut self, node: &Json, what: &str) {
        self.draft.note(place(node), what);
    }

    fn expression(&mut self, node: &'n Json) {
        if let Some(request) = request_within(node) {
            self.request(request);
            return;
        }
        if kind(node) != "Call" {
            return;
        }
        let path = dotted(field(node, "func"));
        let last = path.rsplit('.').next().unwrap_or_default();
        let first = nodes(node, "args").first();
        match (path.as_str(), first) {
            ("time.sleep" | "gevent.sleep" | "sleep" | "self._sleep", Some(time)) => {
                self.pause(time);
            }
            (path, Some(fields)) if path.ends_with("client.headers.update") => {
                let fields = self.scope.value(fields, self.draft);
                self.set_client_headers(&fields);
            }
            _ if SILENT.contains(&last) => {}
            _ => self.method(node, &path),
        }
    }

    /// A method of the user: its statements in place of the call.
    fn method(&mut self, node: &'n Json, path: &str) {
        let name = path.rsplit('.').next().unwrap_or_default();
        let is_own = path == name || path == format!("self.{name}");
        let found = self.scope.functions.get(name).copied().filter(|_| is_own);
        match found {
            Some(function) if self.scope.depth < DEPTH_MAX => {
                let before = self.scope.enter(function, node, self.draft);
                self.statements(nodes(function, "body"));
                self.scope.leave(before);
            }
            Some(_) => self.note(
                node,
                &format!("{name} calls itself; this is not translated"),
            ),
            None => self.note(node, &format!("{path}(...) is not translated")),
        }
    }

    fn pause(&mut self, time: &'n Json) {
        let pause = match kind(time) {
            "Call" => range_of(time, &mut self.scope, self.draft),
            _ => self
                .scope
                .value(time, self.draft)
                .as_f64()
                .map(|seconds| format!("{seconds}s")),
        };
        match (pause, self.steps.last_mut()) {
            (Some(pause), Some(step)) => step.pause = Some(pause),
            (Some(_), None) => {
                self.note(time, "a sleep before the first request is not translated");
            }
            (None, _) => self.note(
                time,
                "the time of this sleep is not known; set pause of the step before it",
            ),
        }
    }

    fn set_client_headers(&mut self, fields: &Json) {
        for (name, value) in fields.as_object().into_iter().flatten() {
            self.client_headers
                .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            if !value.is_null() {
                self.client_headers.push((name.clone(), text_of(value)));
            }
        }
    }

    fn assign(&mut self, target: &'n Json, value: &'n Json) {
        let value = if kind(value) == "Await" {
            field(value, "value")
        } else {
            value
        };
        let name = match kind(target) {
            "Name" => word(target, "id"),
            "Attribute" => word(target, "attr"),
            "Subscript" if dotted(field(target, "value")).ends_with("client.headers") => {
                let name = self.scope.text(field(target, "slice"), self.draft);
                let value = self.scope.value(value, self.draft);
                return self.set_client_headers(&Json::from_iter([(name, value)]));
            }
            "Subscript" => return self.assign_member(target, value),
            _ => {
                if has_request(value) {
                    self.expression(value);
                }
                return;
            }
        };
        if is_request(value) {
            if let Some(step) = self.request(value) {
                self.scope
                    .answers
                    .insert(name.to_owned(), (step, String::new()));
            }
            return;
        }
        if let Some(request) = request_within(value) {
            let step = self.request(request);
            let is_json = word(field(value, "func"), "attr") == "json";
            match step.filter(|_| is_json) {
                Some(step) => {
                    _ = self
                        .scope
                        .answers
                        .insert(format!("json {name}"), (step, String::new()));
                }
                None => self.note(value, "what is taken from this answer is not translated"),
            }
            return;
        }
        if dotted(target).ends_with("client.headers") {
            let value = self.scope.value(value, self.draft);
            return self.set_client_headers(&value);
        }
        if let Some(function) = self.sender(value) {
            return self.assign_returned(target, name, function, value);
        }
        self.assign_value(target, name, value);
    }

    /// The function of the file that a call names, if it sends requests.
    fn sender(&self, call: &'n Json) -> Option<&'n Json> {
        let path = dotted(field(call, "func"));
        let name = path.rsplit('.').next().unwrap_or_default();
        let is_own = path == name || path == format!("self.{name}");
        let function = self.scope.functions.get(name).copied();
        let function = function.filter(|_| kind(call) == "Call" && is_own)?;
        (self.scope.depth < DEPTH_MAX && self.sends(function, 0)).then_some(function)
    }

    /// Whether a function sends requests, itself or through the functions that it calls.
    fn sends(&self, function: &Json, depth: usize) -> bool {
        let calls_sender = |node: &Json| {
            let path = dotted(field(node, "func"));
            let name = path.strip_prefix("self.").unwrap_or(&path);
            let called = self.scope.functions.get(name);
            called.is_some_and(|it| depth < DEPTH_MAX && self.sends(it, depth + 1))
        };
        any(field(function, "body"), &|node| {
            is_request(node) || kind(node) == "Call" && calls_sender(node)
        })
    }

    /// `token = self.login(...)`: its statements in place of the call, and what it returns.
    fn assign_returned(
        &mut self,
        target: &'n Json,
        name: &'n str,
        function: &'n Json,
        call: &'n Json,
    ) {
        let before = self.scope.enter(function, call, self.draft);
        self.statements(nodes(function, "body"));
        let returned = returned_by(nodes(function, "body"));
        let answer = returned.and_then(|it| self.scope.answers.get(word(it, "id")).cloned());
        match (returned, answer) {
            (_, Some(answer)) => _ = self.scope.answers.insert(name.to_owned(), answer),
            (Some(returned), None) if request_within(returned).is_none() => {
                let is_local = kind(target) == "Name";
                self.assign_value(target, name, returned);
                let bound = self.scope.locals.get(name).cloned().filter(|_| is_local);
                self.scope.leave(before);
                if let Some(bound) = bound {
                    self.scope.locals.insert(name.to_owned(), bound);
                }
                return;
            }
            _ => {}
        }
        self.scope.leave(before);
    }

    fn assign_value(&mut self, target: &'n Json, name: &str, value: &'n Json) {
        if let Some(hole) = self.scope.extract(value, name, self.draft) {
            // Members of a list or table that is extracted are found through it.
            if let Some(json) = self.scope.json_of(value) {
                self.scope.answers.insert(format!("json {name}"), json);
            }
            return self.bind(target, name, Json::from(hole));
        }
        if let Some(json) = self.scope.json_of(value) {
            self.scope.answers.insert(format!("json {name}"), json);
            return;
        }
        let value = self.scope.value(value, self.draft);
        self.bind(target, name, value);
    }

    /// `payload["name"] = value`
    fn assign_member(&mut self, target: &'n Json, value: &'n Json) {
        let owner = word(field(target, "value"), "id").to_owned();
        let key = word(field(target, "slice"), "value").to_owned();
        let value = self.scope.value(value, self.draft);
        if let Some((Json::Object(members), _)) = self.scope.locals.get_mut(&owner) {
            members.insert(key, value);
        }
    }

    fn bind(&mut self, target: &Json, name: &str, value: Json) {
        if kind(target) == "Name" {
            self.scope.locals.insert(name.to_owned(), (value, false));
            return;
        }
        let text = text_of(&value);
        let is_text = value.is_string() && is_drawn(&value);
        let is_extracted = |known: &String| text.contains(&format!("{{{{{known}}}}}"));
        let can_be_variable =
            is_text && !text.contains("{{now") && !self.scope.names.iter().any(is_extracted);
        let value = match self.is_start && can_be_variable {
            true => {
                let is_number = value.as_str().is_some_and(|value| value.starts_with(BARE));
                let variable = self.draft.add_variable(name, &text, "");
                Json::from(format!(
                    "{}{{{{{variable}}}}}",
                    if is_number { BARE } else { "" }
                ))
            }
            false => value,
        };
        self.scope.attributes.insert(name.to_owned(), value);
    }

    fn with(&mut self, node: &'n Json) {
        for item in nodes(node, "items") {
            let call = field(item, "context_expr");
            if !is_request(call) {
                continue;
            }
            let step = self.request(call);
            let name = word(field(item, "optional_vars"), "id");
            if let (Some(step), false) = (step, name.is_empty()) {
                self.scope
                    .answers
                    .insert(name.to_owned(), (step, String::new()));
            }
        }
        self.statements(nodes(node, "body"));
    }

    /// A condition without requests may judge an answer, or take something from it.
    fn condition(&mut self, node: &'n Json) {
        if has_request(node) {
            return self.branch(node);
        }
        self.statuses(node);
        self.statements(nodes(node, "body"));
        for other in nodes(node, "orelse").iter().filter(|it| kind(it) == "If") {
            self.condition(other);
        }
    }

    /// A condition that asks whether a step before succeeded, or found its value: a scenario goes on only then.
    fn branch(&mut self, node: &'n Json) {
        let is_success = match self.status_test(field(node, "test")) {
            Some((_, operator, _)) => ["Eq", "In"].contains(&operator),
            None => is_guard(field(node, "test")),
        };
        if !is_success || !any(field(node, "body"), &is_request) {
            return self.note(node, "an if is not translated; its requests are left out");
        }
        self.note(node, "the condition of this if is taken as true");
        self.statements(nodes(node, "body"));
        if any(field(node, "orelse"), &is_request) {
            self.note(node, "the requests of its else are left out");
        }
    }

    /// `assert answer.status_code == 200`
    fn assertion(&mut self, node: &'n Json) {
        match self.status_test(field(node, "test")) {
            Some((step, "Eq" | "In", statuses)) => self.add_statuses(step, &statuses),
            _ => self.note(node, "an assert is not translated; see expect"),
        }
    }

    /// The step, the operator and the statuses of a comparison of `answer.status_code`.
    fn status_test(&mut self, test: &'n Json) -> Option<(usize, &'n str, Vec<u16>)> {
        let left = field(test, "left");
        let operator = nodes(test, "ops").first()?;
        let right = nodes(test, "comparators").first()?;
        if word(left, "attr") != "status_code" {
            return None;
        }
        let answer = word(field(left, "value"), "id");
        let (step, _) = self.scope.answers.get(answer)?.clone();
        let numbers = match self.scope.value(right, self.draft) {
            Json::Array(items) => items,
            other => vec![other],
        };
        let statuses = numbers
            .iter()
            .filter_map(|it| u16::try_from(it.as_u64()?).ok());
        Some((step, kind(operator), statuses.collect()))
    }

    fn add_statuses(&mut self, step: usize, statuses: &[u16]) {
        let are_valid = statuses.iter().all(|status| (200..1_000).contains(status));
        let Some(step) = self.steps.get_mut(step).filter(|_| are_valid) else {
            return;
        };
        for status in statuses {
            if !step.statuses.contains(status) {
                step.statuses.push(*status);
            }
        }
    }

    /// `if answer.status_code == 202: answer.success()`, `if answer.status_code not in (200, 404): answer.failure(...)`.
    fn statuses(&mut self, node: &'n Json) {
        let Some((step, operator, statuses)) = self.status_test(field(node, "test")) else {
            return;
        };
        let calls = |name: &'static str, part: &str| {
            any(field(node, part), &move |node| {
                kind(node) == "Call" && word(field(node, "func"), "attr") == name
                    || kind(node) == "Raise" && name == "failure"
            })
        };
        let is_good = match operator {
            "Eq" | "In" => calls("success", "body") || calls("failure", "orelse"),
            "NotEq" | "NotIn" => calls("failure", "body"),
            _ => false,
        };
        if is_good {
            self.add_statuses(step, &statuses);
        }
    }

    fn while_loop(&mut self, node: &'n Json) {
        if !has_request(node) {
            return;
        }
        // Written in a draft of its own, for its methods and paths alone.
        let mut unused = self.draft.clone();
        let mut inner = Walker {
            scope: self.scope.clone(),
            draft: &mut unused,
            steps: Vec::new(),
            client_headers: Vec::new(),
            is_start: false,
        };
        inner.statements(nodes(node, "body"));
        let requests: Vec<String> = inner
            .steps
            .iter()
            .map(|step| format!("{} {}", step.method, step.path))
            .collect();
        self.note(
            node,
            &format!(
                "a while loop is not translated: {}. A poll is a step with retry_every = \"1s\" and give_up_after = \"15s\"",
                requests.join(", ")
            ),
        );
    }

    /// A request becomes a step. Returns its index.
    fn request(&mut self, node: &'n Json) -> Option<usize> {
        let place = place(node);
        let attribute = word(field(node, "func"), "attr");
        let mut arguments = nodes(node, "args").iter();
        let named = |name: &str| {
            let found = nodes(node, "keywords")
                .iter()
                .find(|pair| word(pair, "arg") == name);
            found.map(|pair| field(pair, "value"))
        };
        let method = match attribute {
            "request" | "rest" => {
                let method = arguments.next().or(named("method"))?;
                self.scope.text(method, self.draft).to_ascii_uppercase()
            }
            method => method.to_ascii_uppercase(),
        };
        let url = arguments.next().or(named("url")).or(named("path"));
        let Some(url) = url else {
            self.draft
                .note(place, "a request without a literal URL is left out");
            return None;
        };
        if !METHODS.contains(&method.as_str()) {
            self.draft.note(
                place,
                format!("a scenario has no method {method}; the request is left out"),
            );
            return None;
        }
        let url = self.scope.text(url, self.draft);
        // A hole alone is a path that is not known; with a path behind it, it is the target.
        let is_hole_alone = url.starts_with("{{") && !url.contains('/');
        let is_path = !url.contains("://") && !url.starts_with("{{") || is_hole_alone;
        let target = split(&if is_path {
            format!("{{{{}}}}/{}", url.trim_start_matches('/'))
        } else {
            url
        });
        if let (Some(origin), host) = (&target.origin, &self.draft.host)
            && host
                .as_deref()
                .is_some_and(|host| !host.starts_with(origin.as_str()))
        {
            self.draft.note(
                &place,
                format!("goes to {origin}; a scenario has one target, and it is sent there"),
            );
        }
        let mut step = Step {
            comments: vec![format!("{place} of the source")],
            method,
            name: name_of(&target.path),
            path: target.path,
            query: target.query,
            ..Step::default()
        };
        for (name, value) in self.client_headers.clone() {
            add_header(&mut step, &name, &value, false, &place, self.draft);
        }
        // Headers first: the body depends on its Content-Type.
        if let Some(headers) = named("headers") {
            let headers = self.scope.value(headers, self.draft);
            for (name, value) in headers.as_object().into_iter().flatten() {
                step.drop_header(name);
                if !value.is_null() {
                    add_header(&mut step, name, &text_of(value), true, &place, self.draft);
                }
            }
        }
        // The body of `post(url, data, json)` by position.
        let positional = arguments.next().map(|value| ("data", value));
        let keywords = nodes(node, "keywords")
            .iter()
            .map(|pair| (word(pair, "arg"), field(pair, "value")));
        for (name, value) in positional.into_iter().chain(keywords) {
            self.argument(name, value, &place, &mut step);
        }
        self.steps.push(step);
        Some(self.steps.len() - 1)
    }

    /// A choice is a text: where JSON needs a number, the first of the choice is sent.
    fn fix_choices(&mut self, place: &str, step: &mut Step) {
        let Body::Json(json) = &mut step.body else {
            return;
        };
        let mark = format!("{BARE}{{{{choice ");
        let mut is_fixed = false;
        change_json("", json, &mut |_, text| {
            if let Some(options) = text.strip_prefix(&mark) {
                let first = options.split(['|', '}']).next().unwrap_or("0");
                *text = format!("{BARE}{first}");
                is_fixed = true;
            }
        });
        if is_fixed {
            self.draft.note(place, "a choice of numbers in JSON: the first is sent each time; {{random 1..9}} draws a number");
        }
    }

    fn argument(&mut self, name: &str, value: &'n Json, place: &str, step: &mut Step) {
        if ["headers", "url", "path", "method"].contains(&name) || IGNORED_ARGUMENTS.contains(&name)
        {
            return;
        }
        if name == "files" {
            return self.draft.note(
                place,
                "files of a request are not translated; the step has no such body",
            );
        }
        if name == "allow_redirects" {
            return self.draft.note(
                place,
                "redirects are not followed in any case: a step counts its own answer",
            );
        }
        let value = self.scope.value(value, self.draft);
        match (name, value) {
            ("", Json::Object(members)) => {
                for (name, value) in members {
                    if !IGNORED_ARGUMENTS.contains(&name.as_str()) {
                        self.translate(&name, &value, place, step);
                    }
                }
            }
            ("", _) => {
                let what = "arguments given by ** are not translated";
                self.draft.note(place, what);
            }
            (name, value) => self.translate(name, &value, place, step),
        }
    }

    /// An argument whose value is known.
    fn translate(&mut self, name: &str, value: &Json, place: &str, step: &mut Step) {
        match (name, value) {
            ("headers", Json::Object(members)) => {
                for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                    step.drop_header(name);
                    add_header(step, name, &text_of(value), true, place, self.draft);
                }
            }
            (_, Json::Null) => {}
            ("name", value) => step.name = Some(text_of(value)),
            ("json", value) => {
                step.drop_header("Content-Type");
                step.body = Body::Json(value.clone());
                self.fix_choices(place, step);
            }
            ("params", Json::Object(members)) => {
                for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                    step.query.push((name.clone(), text_of(value)));
                }
            }
            ("params", text) => step.query.extend(pairs(&text_of(text))),
            ("data", Json::Object(members)) => {
                let pairs = members.iter().filter(|(_, value)| !value.is_null());
                step.body = Body::Form(
                    pairs
                        .map(|(name, value)| (name.clone(), text_of(value)))
                        .collect(),
                );
                step.drop_header("Content-Type");
            }
            ("data", text) => {
                set_body(step, &text_of(text));
                self.fix_choices(place, step);
            }
            ("auth", Json::Array(pair)) if pair.len() == 2 => {
                let credentials = format!("{}:{}", text_of(&pair[0]), text_of(&pair[1]));
                let value = match credentials.contains("{{") {
                    true => {
                        let comment = "secret: the output of `printf %s USER:PASSWORD | base64`";
                        let name = self.draft.placeholder("basic_credentials", comment);
                        self.draft
                            .note(place, format!("auth: set {name} in [variables]"));
                        format!("Basic {{{{{name}}}}}")
                    }
                    false => format!("Basic {}", STANDARD.encode(credentials)),
                };
                step.set_header("Authorization", value);
            }
            ("cookies", Json::Object(members)) => {
                let pairs: Vec<String> = members
                    .iter()
                    .map(|(name, value)| format!("{name}={}", text_of(value)))
                    .collect();
                step.set_header("Cookie", pairs.join("; "));
            }
            ("timeout" | "network_timeout", Json::Number(seconds)) => {
                step.timeout = Some(format!("{seconds}s"));
            }
            (name, _) => self
                .draft
                .note(place, format!("the argument {name} is not translated")),
        }
    }
}

/// `between(1, 3)`, `random.uniform(1, 3)`, `constant(2)` as a range of times.
pub(super) fn range_of<'n>(
    node: &'n Json,
    scope: &mut Scope<'n>,
    draft: &mut Draft,
) -> Option<String> {
    let path = dotted(field(node, "func"));
    let mut numbers = Vec::new();
    for argument in nodes(node, "args") {
        let value = scope.value(argument, draft);
        numbers.push(settled(place(argument), value, draft).as_f64()?);
    }
    match (path.rsplit('.').next()?, &numbers[..]) {
        ("between" | "uniform" | "randint", [from, to]) if from <= to => {
            Some(format!("{from}s..{to}s"))
        }
        ("constant", [time]) => Some(format!("{time}s")),
        ("constant_pacing", [time]) => Some(format!("pacing {time}s")),
        ("constant_throughput", [rate]) if *rate > 0.0 => {
            let ms = (1_000.0 / rate).round().max(1.0);
            Some(format!("pacing {ms}ms"))
        }
        _ => None,
    }
}

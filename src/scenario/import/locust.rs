//! The syntax tree of a locustfile -> a draft: on_start, tasks with their weights, on_stop.
//!
//! Python itself parses: whoever runs locustfiles has it, and each version reads its own syntax. [`SYNTAX_TREE`] is the
//! script that prints the tree; the file is never run.

use std::collections::{HashMap, HashSet};

use serde_json::Value as Json;

use super::draft::{Draft, Kind, Part, Task};
use super::locust_calls::{Walker, range_of};
use super::locust_values::{Scope, dotted, field, kind, nodes, place, settled, text_of, word};

/// Prints the syntax tree of the locustfile on its standard input, as JSON: for `python3 -I -c`.
pub const SYNTAX_TREE: &str = include_str!("locustfile.py");

/// Classes of Locust for users.
const USERS: [&str; 4] = ["HttpUser", "FastHttpUser", "HttpLocust", "FastHttpLocust"];
/// Classes of Locust for users without an HTTP client.
const PLAIN_USERS: [&str; 2] = ["User", "locust.User"];
/// Attributes of users that change nothing that is sent, or are read by themselves.
const OWN_ATTRIBUTES: [&str; 12] = [
    "host",
    "wait_time",
    "min_wait",
    "max_wait",
    "tasks",
    "task_set",
    "weight",
    "fixed_count",
    "abstract",
    "network_timeout",
    "connection_timeout",
    "insecure",
];
/// Most notes in the error of a file without a task.
const NOTES_MAX: usize = 3;
/// Classes that inherit from classes.
const DEPTH_MAX: usize = 20;

/// Translates the syntax tree that [`SYNTAX_TREE`] prints.
///
/// # Errors
/// It is no syntax tree; it has no user with a task that sends a request.
pub fn read(tree: &str) -> Result<Draft, String> {
    let tree: Json = serde_json::from_str(tree)
        .map_err(|error| format!("Python printed no syntax tree: {error}"))?;
    let mut draft = Draft {
        about: "a locustfile".to_owned(),
        ..Draft::default()
    };
    let file = File::new(&tree);
    let users: Vec<&Json> = file.users();
    if users.is_empty() {
        return Err("it has no class that inherits from HttpUser or FastHttpUser".to_owned());
    }
    note_the_rest(&file, &mut draft);
    for user in &users {
        let first = draft.host.take();
        add_user(&tree, &file, user, &mut draft);
        let own = draft.host.take();
        let is_kept = users.len() == 1 || to_kind(&file, user, &mut draft);
        let own = own.filter(|_| is_kept);
        if let (Some(first), Some(own)) = (&first, &own)
            && first != own
        {
            let note =
                format!("the host {own} is not kept: all users go to {first}; write [targets]");
            draft.note(place(user), note);
        }
        draft.host = first.or(own);
    }
    if let [_] = draft.kinds[..] {
        let kind = draft.kinds.remove(0);
        (draft.name, draft.wait) = (kind.name, kind.wait);
        (draft.start, draft.tasks, draft.stop) = (kind.start, kind.tasks, kind.stop);
    }
    unique_names(&mut draft);
    draft.drop_unused_variables();
    if draft.steps().next().is_none() {
        let named = draft.notes.iter().take(NOTES_MAX);
        let named = named.map(|note| format!("; {}: {}", note.place, note.what));
        return Err(format!(
            "no task of it sends a request that can be translated{}",
            named.collect::<String>()
        ));
    }
    Ok(draft)
}

/// Makes a kind of what was read of a user; false for one without a request or a weight, which is left out.
fn to_kind(file: &File<'_>, user: &Json, draft: &mut Draft) -> bool {
    let number = |name| {
        let mut line = file.line_of(user).into_iter();
        line.find_map(|class| value_of(class, name)?.get("value")?.as_f64())
    };
    let part = match number("fixed_count").filter(|count| *count >= 1.0) {
        Some(count) => Part::Count(count as u64),
        None => Part::Weight(number("weight").unwrap_or(1.0)),
    };
    let mut kind = Kind {
        name: std::mem::replace(&mut draft.name, "locustfile".to_owned()),
        part,
        wait: draft.wait.take(),
        start: std::mem::take(&mut draft.start),
        tasks: std::mem::take(&mut draft.tasks),
        stop: std::mem::take(&mut draft.stop),
    };
    let (wanted, mut number) = (kind.name.clone(), 2);
    while draft.kinds.iter().any(|known| known.name == kind.name) {
        kind.name = format!("{wanted}-{number}");
        number += 1;
    }
    let lacks = if kind.part == Part::Weight(0.0) {
        "weight"
    } else if kind.tasks.is_empty() && kind.start.is_empty() {
        "task that is translated"
    } else {
        draft.kinds.push(kind);
        return true;
    };
    let class = word(user, "name");
    draft.note(
        place(user),
        format!("the user {class} has no {lacks}, and is left out"),
    );
    false
}

/// Reads a user into the draft's own wait and steps.
fn add_user(tree: &Json, file: &File<'_>, user: &Json, draft: &mut Draft) {
    let mut scope = Scope {
        functions: file.functions(user),
        ..Scope::default()
    };
    constants(nodes(tree, "body"), &mut scope);
    for class in file.line_of(user).into_iter().rev() {
        attributes(class, &mut scope, draft);
    }
    draft.name = super::draft::variable_name(word(user, "name")).replace('_', "-");
    let mut walker = Walker {
        scope,
        draft: &mut *draft,
        steps: Vec::new(),
        client_headers: Vec::new(),
        is_start: true,
    };
    for name in ["__init__", "on_start"] {
        if let Some(function) = file.method(user, name) {
            let steps = walker.function(function);
            walker.draft.start.extend(steps);
        }
    }
    let tasks = file.tasks(user, 1, walker.draft);
    let mut started = HashSet::new();
    for task in &tasks {
        for set in &task.sets {
            walker.scope.functions.extend(file.functions(set));
            let is_first = started.insert(word(set, "name"));
            let on_start = file.method(set, "on_start").filter(|_| is_first);
            if let Some(function) = on_start {
                walker.draft.note(
                    place(function),
                    "on_start of a task set is run once per user, with that of the user",
                );
                let steps = walker.function(function);
                walker.draft.start.extend(steps);
            }
        }
    }
    walker.is_start = false;
    for task in &tasks {
        let (attributes, headers) = (
            walker.scope.attributes.clone(),
            walker.client_headers.clone(),
        );
        let mut steps = Vec::new();
        for function in &task.functions {
            let next = walker.function(function);
            steps.extend(next);
        }
        // What a task takes from answers is not there in another.
        walker.scope.attributes = attributes;
        walker.client_headers = headers;
        if steps.is_empty() {
            walker.draft.note(
                place(task.functions[0]),
                format!("the task {} sends no request that is translated", task.name),
            );
            continue;
        }
        walker.draft.tasks.push(Task {
            comments: vec![format!("task {}", task.name)],
            name: (steps.len() > 1).then(|| task.name.clone()),
            weight: task.weight.clamp(1, 1_000_000),
            steps,
        });
    }
    if let Some(function) = file.method(user, "on_stop") {
        let steps = walker.function(function);
        walker.draft.stop = steps;
    }
}

/// A task: functions whose steps follow each other.
struct Found<'n> {
    name: String,
    weight: u32,
    functions: Vec<&'n Json>,
    /// The task sets around it.
    sets: Vec<&'n Json>,
}

/// The classes and functions of a file.
struct File<'n> {
    body: &'n [Json],
    classes: HashMap<&'n str, &'n Json>,
}

impl<'n> File<'n> {
    fn new(tree: &'n Json) -> Self {
        let body = nodes(tree, "body");
        let mut classes = HashMap::new();
        collect_classes(body, &mut classes);
        Self { body, classes }
    }

    /// A class and those it inherits from, as far as they stand in the file.
    fn line_of(&self, class: &'n Json) -> Vec<&'n Json> {
        let mut line = vec![class];
        let mut at = 0;
        while at < line.len() && line.len() < DEPTH_MAX {
            for base in nodes(line[at], "bases") {
                let name = dotted(base);
                let known = self
                    .classes
                    .get(name.rsplit('.').next().unwrap_or_default());
                if let Some(class) = known.filter(|class| !line.contains(class)) {
                    line.push(class);
                }
            }
            at += 1;
        }
        line
    }

    fn inherits(&self, class: &'n Json, from: &[&str]) -> bool {
        self.line_of(class).iter().any(|class| {
            nodes(class, "bases").iter().any(|base| {
                let name = dotted(base);
                from.contains(&name.rsplit('.').next().unwrap_or_default())
            })
        })
    }

    /// The users of the file that are not abstract, in order.
    fn users(&self) -> Vec<&'n Json> {
        let classes = self.body.iter().filter(|node| kind(node) == "ClassDef");
        let is_true = |value: &Json| field(value, "value") == &Json::Bool(true);
        let is_abstract = |class: &Json| value_of(class, "abstract").is_some_and(is_true);
        classes
            .filter(|class| self.inherits(class, &USERS) && !is_abstract(class))
            .collect()
    }

    fn method(&self, class: &'n Json, name: &str) -> Option<&'n Json> {
        let line = self.line_of(class);
        let all = line.into_iter().flat_map(|class| nodes(class, "body"));
        all.into_iter()
            .find(|node| is_function(node) && word(node, "name") == name)
    }

    /// The functions of the module, and the methods of a class and those it inherits from.
    fn functions(&self, class: &'n Json) -> HashMap<String, &'n Json> {
        let mut functions = HashMap::new();
        let line = self.line_of(class);
        let methods = line
            .into_iter()
            .rev()
            .flat_map(|class| nodes(class, "body"));
        for node in self
            .body
            .iter()
            .chain(methods)
            .filter(|node| is_function(node))
        {
            functions.insert(word(node, "name").to_owned(), node);
        }
        functions
    }

    /// The tasks of a user or a task set: decorated methods, nested task sets, and the list or table `tasks`.
    fn tasks(&self, class: &'n Json, weight: u32, draft: &mut Draft) -> Vec<Found<'n>> {
        let mut found: Vec<Found<'n>> = Vec::new();
        let line = self.line_of(class);
        for node in line.iter().rev().flat_map(|class| nodes(class, "body")) {
            let Some(own) = weight_of(node) else {
                continue;
            };
            let own = own.saturating_mul(weight);
            match kind(node) {
                "ClassDef" => found.extend(self.set(node, own, draft)),
                _ => {
                    found.retain(|known| known.name != word(node, "name"));
                    found.push(one(node, own));
                }
            }
        }
        let listed = line.iter().find_map(|class| value_of(class, "tasks"));
        // Before Locust 1.0.
        let set = line.iter().find_map(|class| value_of(class, "task_set"));
        let set = set.map(|set| (set, 1));
        for (node, own) in listed
            .map(listed_tasks)
            .unwrap_or_default()
            .into_iter()
            .chain(set)
        {
            let name = dotted(node);
            let name = name.rsplit('.').next().unwrap_or_default();
            let own = own.saturating_mul(weight);
            let function = self.functions(class).get(name).copied();
            match (self.classes.get(name), function) {
                (Some(set), _) => found.extend(self.set(set, own, draft)),
                (None, Some(function)) => found.push(one(function, own)),
                (None, None) => {
                    draft.note(place(node), format!("the task {name} is not in this file"));
                }
            }
        }
        found
    }

    /// The tasks of a task set: of a sequential one, one task with all steps.
    fn set(&self, set: &'n Json, weight: u32, draft: &mut Draft) -> Vec<Found<'n>> {
        let mut tasks = self.tasks(set, weight, draft);
        if self.inherits(set, &["SequentialTaskSet"]) {
            let mut functions = Vec::new();
            for task in &tasks {
                functions.extend(task.functions.iter().copied());
            }
            tasks = match functions.is_empty() {
                true => Vec::new(),
                false => vec![Found {
                    name: word(set, "name").to_owned(),
                    weight,
                    functions,
                    sets: Vec::new(),
                }],
            };
        } else {
            draft.note(
                place(set),
                format!(
                    "the task set {} is flattened: its tasks are drawn beside the others",
                    word(set, "name")
                ),
            );
        }
        for task in &mut tasks {
            task.sets.push(set);
        }
        tasks
    }
}

fn one(node: &Json, weight: u32) -> Found<'_> {
    Found {
        name: word(node, "name").to_owned(),
        weight,
        functions: vec![node],
        sets: Vec::new(),
    }
}

fn is_function(node: &Json) -> bool {
    matches!(kind(node), "FunctionDef" | "AsyncFunctionDef")
}

fn collect_classes<'n>(body: &'n [Json], classes: &mut HashMap<&'n str, &'n Json>) {
    for node in body.iter().filter(|node| kind(node) == "ClassDef") {
        classes.insert(word(node, "name"), node);
        collect_classes(nodes(node, "body"), classes);
    }
}

/// The weight of a method or class with the decorator `@task`; `None` without it.
fn weight_of(node: &Json) -> Option<u32> {
    nodes(node, "decorator_list").iter().find_map(|decorator| {
        let path = match kind(decorator) {
            "Call" => dotted(field(decorator, "func")),
            _ => dotted(decorator),
        };
        let is_task = path == "task" || path.ends_with(".task");
        let weight = nodes(decorator, "args")
            .first()
            .and_then(|weight| field(weight, "value").as_u64());
        is_task.then(|| weight.map_or(1, |weight| weight.clamp(1, 1_000_000) as u32))
    })
}

/// The value that a class gives to an attribute.
fn value_of<'n>(class: &'n Json, name: &str) -> Option<&'n Json> {
    nodes(class, "body").iter().find_map(|node| {
        let targets = nodes(node, "targets").iter().chain([field(node, "target")]);
        let is_it = targets.into_iter().any(|target| word(target, "id") == name);
        is_it.then(|| field(node, "value"))
    })
}

/// `[a, b]`, `{a: 3, b: 1}`
fn listed_tasks(node: &Json) -> Vec<(&Json, u32)> {
    match kind(node) {
        "Dict" => {
            let weights = nodes(node, "values")
                .iter()
                .map(|weight| field(weight, "value").as_u64().unwrap_or(1));
            nodes(node, "keys")
                .iter()
                .zip(weights.map(|weight| weight.clamp(1, 1_000_000) as u32))
                .collect()
        }
        _ => nodes(node, "elts").iter().map(|task| (task, 1)).collect(),
    }
}

/// Constants of the module.
fn constants<'n>(body: &'n [Json], scope: &mut Scope<'n>) {
    for node in body {
        let target = nodes(node, "targets")
            .first()
            .unwrap_or(field(node, "target"));
        let is_constant = matches!(kind(node), "Assign" | "AnnAssign") && kind(target) == "Name";
        if is_constant && !field(node, "value").is_null() {
            scope
                .constants
                .insert(word(target, "id").to_owned(), field(node, "value"));
        }
    }
}

/// Attributes of a class, its wait and its host.
fn attributes<'n>(class: &'n Json, scope: &mut Scope<'n>, draft: &mut Draft) {
    if let Some(host) = value_of(class, "host") {
        let host = scope.value(host, draft);
        let host = text_of(&settled(place(class), host, draft));
        draft.host = host
            .starts_with("http")
            .then(|| host.trim_end_matches('/').to_owned());
    }
    if let Some(wait) = value_of(class, "wait_time") {
        draft.wait = range_of(wait, scope, draft);
        if draft.wait.is_none() {
            draft.note(place(wait), "this wait_time is not translated; set wait");
        }
    }
    let number = |name| value_of(class, name).and_then(|value| field(value, "value").as_f64());
    if let (None, Some(least), Some(most)) = (&draft.wait, number("min_wait"), number("max_wait"))
        && least <= most
    {
        draft.wait = Some(format!("{least}ms..{most}ms"));
    }
    for node in nodes(class, "body") {
        let target = nodes(node, "targets")
            .first()
            .unwrap_or(field(node, "target"));
        let name = word(target, "id");
        let is_value = matches!(kind(node), "Assign" | "AnnAssign") && kind(target) == "Name";
        if is_value && !OWN_ATTRIBUTES.contains(&name) && !field(node, "value").is_null() {
            let value = scope.value(field(node, "value"), draft);
            scope.attributes.insert(name.to_owned(), value);
        }
    }
}

/// Load shapes and listeners.
fn note_the_rest(file: &File<'_>, draft: &mut Draft) {
    for node in file.body {
        if kind(node) == "ClassDef" && file.inherits_shape(node) {
            draft.note(place(node), format!("the load shape {} is not translated; write [load] with stages, or give --stage", word(node, "name")));
        }
        let is_user = nodes(node, "bases")
            .iter()
            .any(|base| PLAIN_USERS.contains(&dotted(base).as_str()));
        if kind(node) == "ClassDef" && is_user {
            draft.note(
                place(node),
                format!(
                    "the user {} is not translated: it has no HTTP client of Locust",
                    word(node, "name")
                ),
            );
        }
        let listens = |decorator: &Json| {
            dotted(decorator).contains("events")
                || dotted(field(decorator, "func")).contains("events")
        };
        if nodes(node, "decorator_list").iter().any(listens) {
            draft.note(
                place(node),
                format!("the listener {} is not translated", word(node, "name")),
            );
        }
    }
}

impl File<'_> {
    fn inherits_shape(&self, class: &Json) -> bool {
        nodes(class, "bases")
            .iter()
            .any(|base| dotted(base).ends_with("LoadTestShape"))
    }
}

/// Two tasks with one name are measured under two.
fn unique_names(draft: &mut Draft) {
    let mut known: HashSet<String> = HashSet::new();
    let of_kinds = draft.kinds.iter_mut().flat_map(|kind| &mut kind.tasks);
    for task in draft.tasks.iter_mut().chain(of_kinds) {
        let Some(name) = &mut task.name else { continue };
        let wanted = name.clone();
        let mut number = 2;
        while !known.insert(name.clone()) {
            *name = format!("{wanted} {number}");
            number += 1;
        }
    }
}

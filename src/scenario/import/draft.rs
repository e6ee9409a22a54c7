//! A scenario on its way from another format to TOML.

use serde_json::Value as Json;

use crate::scenario::format::holes::WORDS;

/// Value of a variable that the source does not tell, or that was secret there.
pub const PLACEHOLDER: &str = "replace-me";

/// Text that stands for any text of a description without an example.
pub const SAMPLE: &str = "text";

/// Something that was not translated, or that was guessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Where it stands in the source: `line 3`, `entry 5`, `GET /pets`.
    pub place: String,
    /// What was not translated, and the cure if there is one.
    pub what: String,
}

/// A variable of `[variables]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Letters, digits and `_`.
    pub name: String,
    /// Its text, with holes.
    pub value: String,
    /// Comment behind it; may be empty.
    pub comment: String,
}

/// The body of a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Body {
    /// No body.
    #[default]
    None,
    /// JSON. A text that consists of [`BARE`] and a hole stands for the hole without quotes.
    Json(Json),
    /// Names and values, not encoded.
    Form(Vec<(String, String)>),
    /// Any text.
    Text(String),
    /// A file, by its name.
    File(String),
}

/// Marks a JSON text whose hole is written without quotes, for numbers.
pub const BARE: &str = "\u{1}";

/// A value taken from an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extracted {
    /// Name of the variable.
    pub name: String,
    /// Where the value is found.
    pub from: FoundIn,
    /// Largest length in bytes, when it is not the default.
    pub bytes_max: Option<usize>,
}

/// The place of a value in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundIn {
    /// A JSON pointer (RFC 6901).
    Json(String),
    /// The name of a header field.
    Header(String),
}

/// One request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Comments above it.
    pub comments: Vec<String>,
    /// GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS.
    pub method: String,
    /// Path, percent-encoded, with holes.
    pub path: String,
    /// Name in the report, when it is not the path.
    pub name: Option<String>,
    /// Names and values of the query, not encoded. A name that occurs twice is written into the path.
    pub query: Vec<(String, String)>,
    /// Header fields, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// Statuses of a success; empty for the default, 200 to 299.
    pub statuses: Vec<u16>,
    /// Values taken from its answer.
    pub extract: Vec<Extracted>,
    /// Pause after it, as written in a scenario.
    pub pause: Option<String>,
    /// Time limit, as written in a scenario.
    pub timeout: Option<String>,
}

/// A task: its steps in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Task {
    /// Comments above it.
    pub comments: Vec<String>,
    /// Name of a task of several steps.
    pub name: Option<String>,
    /// From 1 to 1,000,000.
    pub weight: u32,
    /// At least one.
    pub steps: Vec<Step>,
}

/// How many users are of a kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part {
    /// Its part of those without a count, beside the weights of the other kinds.
    Weight(f64),
    /// So many.
    Count(u64),
}

/// One of several kinds of users.
#[derive(Clone, Debug, PartialEq)]
pub struct Kind {
    /// Its name.
    pub name: String,
    /// How many they are.
    pub part: Part,
    /// Wait between its tasks, as written in a scenario.
    pub wait: Option<String>,
    /// Steps that its users run once.
    pub start: Vec<Step>,
    /// Its tasks, drawn by weight.
    pub tasks: Vec<Task>,
    /// Steps before its users leave.
    pub stop: Vec<Step>,
}

/// A scenario on its way to TOML.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// Name of the scenario.
    pub name: String,
    /// One line about it.
    pub about: String,
    /// Target that the source names, for `--host`.
    pub host: Option<String>,
    /// Comments at the head of the file.
    pub comments: Vec<String>,
    /// Wait between tasks, as written in a scenario.
    pub wait: Option<String>,
    /// Variables, each made of those above it.
    pub variables: Vec<Variable>,
    /// Steps that a user runs once.
    pub start: Vec<Step>,
    /// Tasks, drawn by weight.
    pub tasks: Vec<Task>,
    /// Steps before a user leaves.
    pub stop: Vec<Step>,
    /// Kinds of users, each with steps of its own; the scenario's own wait and steps are then empty.
    pub kinds: Vec<Kind>,
    /// What was not translated.
    pub notes: Vec<Note>,
}

impl Draft {
    /// Adds a note.
    pub fn note(&mut self, place: impl Into<String>, what: impl Into<String>) {
        let note = Note {
            place: place.into(),
            what: what.into(),
        };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Adds a variable under a name that is free, and returns the name.
    pub fn add_variable(&mut self, wanted: &str, value: &str, comment: &str) -> String {
        let name = self.free_name(wanted);
        self.variables.push(Variable {
            name: name.clone(),
            value: value.to_owned(),
            comment: comment.to_owned(),
        });
        name
    }

    /// The variable for something that the source calls by this name: the same one at each call.
    pub fn placeholder(&mut self, wanted: &str, comment: &str) -> String {
        let name = variable_name(wanted);
        match self.variables.iter().any(|known| known.name == name) {
            true => name,
            false => self.add_variable(&name, PLACEHOLDER, comment),
        }
    }

    /// Drops the variables that nothing uses, with their notes.
    pub fn drop_unused_variables(&mut self) {
        let mut texts: Vec<String> = Vec::new();
        for mut step in self.steps().cloned().collect::<Vec<_>>() {
            step.change_texts(&mut |_, text| texts.push(text.clone()));
        }
        texts.extend(self.variables.iter().map(|variable| variable.value.clone()));
        let is_used = |name: &str| {
            let hole = format!("{{{{{name}}}}}");
            texts.iter().any(|text| text.contains(&hole))
        };
        let notes = &mut self.notes;
        self.variables.retain(|variable| {
            let is_used = is_used(&variable.name);
            let cure = format!("; set {} in [variables]", variable.name);
            notes.retain(|note| is_used || !note.what.ends_with(&cure));
            is_used
        });
    }

    /// A name that no variable and no extracted value has.
    pub fn free_name(&self, wanted: &str) -> String {
        let wanted = variable_name(wanted);
        let mut name = wanted.clone();
        let mut number = 2;
        while self.is_taken(&name) {
            name = format!("{wanted}_{number}");
            number += 1;
        }
        name
    }

    fn is_taken(&self, name: &str) -> bool {
        let extracted = self.steps().flat_map(|step| &step.extract);
        self.variables.iter().any(|known| known.name == name)
            || extracted.into_iter().any(|known| known.name == name)
    }

    /// All steps: start, tasks, stop, then those of each kind.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        let of_kinds = self.kinds.iter().flat_map(|kind| {
            let tasks = kind.tasks.iter().flat_map(|task| &task.steps);
            kind.start.iter().chain(tasks).chain(&kind.stop)
        });
        let tasks = self.tasks.iter().flat_map(|task| &task.steps);
        let own = self.start.iter().chain(tasks).chain(&self.stop);
        own.chain(of_kinds)
    }

    /// All steps: start, tasks, stop, then those of each kind.
    pub fn steps_mut(&mut self) -> impl Iterator<Item = &mut Step> {
        let of_kinds = self.kinds.iter_mut().flat_map(|kind| {
            let tasks = kind.tasks.iter_mut().flat_map(|task| &mut task.steps);
            kind.start.iter_mut().chain(tasks).chain(&mut kind.stop)
        });
        let tasks = self.tasks.iter_mut().flat_map(|task| &mut task.steps);
        let own = self.start.iter_mut().chain(tasks).chain(&mut self.stop);
        own.chain(of_kinds)
    }

    /// A text of the source as a text of a scenario, in which `{{` opens a hole. A hole of the source (Postman, Insomnia)
    /// becomes a variable; any other `{{` gets a blank between its braces, which is noted.
    pub fn own_text(&mut self, place: &str, text: &str) -> String {
        let mut own = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(open) = rest.find("{{") {
            own += &rest[..open];
            let after = &rest[open + 2..];
            let hole = after.split_once("}}").map(|(hole, _)| hole);
            let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.$ ".contains(c);
            match hole.filter(|hole| !hole.trim().is_empty() && hole.chars().all(is_name)) {
                Some(hole) => {
                    let name = self.placeholder(hole.trim(), "a variable of the source");
                    self.note(
                        place,
                        format!(
                            "{{{{{}}}}} has no value in the source; set {name} in [variables]",
                            hole.trim()
                        ),
                    );
                    own += &format!("{{{{{name}}}}}");
                    rest = &after[hole.len() + 2..];
                }
                None => {
                    self.note(
                        place,
                        "the text has {{, which opens a hole in a scenario; it is written as { {",
                    );
                    own += "{ {";
                    rest = after;
                }
            }
        }
        own + rest
    }
}

impl Step {
    /// Passes each text of the request through `change`: path, query, headers, body. The first argument is the name of the
    /// text: of the member, the parameter or the field; empty for path and plain text.
    pub fn change_texts(&mut self, change: &mut dyn FnMut(&str, &mut String)) {
        change("", &mut self.path);
        for (name, value) in self.query.iter_mut().chain(&mut self.headers) {
            change(name, value);
        }
        match &mut self.body {
            Body::None => {}
            Body::Json(json) => change_json("", json, change),
            Body::Form(pairs) => {
                for (name, value) in pairs {
                    change(name, value);
                }
            }
            Body::Text(text) | Body::File(text) => change("", text),
        }
    }

    /// The value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Sets a header field, in place of one with the same name.
    pub fn set_header(&mut self, name: &str, value: impl Into<String>) {
        self.drop_header(name);
        self.headers.push((name.to_owned(), value.into()));
    }

    /// Removes a header field.
    pub fn drop_header(&mut self, name: &str) {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }
}

/// Passes each text of a JSON value through `change`, with the name of the member that it stands in.
pub fn change_json(name: &str, json: &mut Json, change: &mut dyn FnMut(&str, &mut String)) {
    match json {
        Json::String(text) => change(name, text),
        Json::Array(items) => {
            for item in items {
                change_json(name, item, change);
            }
        }
        Json::Object(members) => {
            for (name, value) in members.iter_mut() {
                change_json(name, value, change);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// A text as the name of a variable: `accessToken` and `access-token` are `access_token`.
pub fn variable_name(text: &str) -> String {
    let mut name = String::new();
    let mut was_lower = false;
    for character in text.chars() {
        if was_lower && character.is_ascii_uppercase() {
            name.push('_');
        }
        was_lower = character.is_ascii_lowercase() || character.is_ascii_digit();
        match character.is_ascii_alphanumeric() {
            true => name.push(character.to_ascii_lowercase()),
            false if !name.is_empty() && !name.ends_with('_') => name.push('_'),
            false => {}
        }
    }
    let name = name.trim_matches('_');
    match name {
        "" => "value".to_owned(),
        name if WORDS.contains(&name) => format!("{name}_value"),
        name => name.to_owned(),
    }
}

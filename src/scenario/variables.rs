//! The variables of a user and their places: one flat stride of bytes per user.
//!
//! A variable is computed once, when the user comes, or extracted from an answer by a step.

use crate::http::request::Slot;

use super::counter::{Counted, Counter};
use super::elsewhere::TargetByte;
use super::feeder::Feeder;
use super::value::{Origin, Value};

/// Longest link of a redirect, in bytes.
const LINK_BYTES: usize = 1_024;

/// All user variables of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    variables: Vec<Variable>,
    /// The user's cookies, by target.
    jars: Vec<Slot>,
    /// The link of the redirect that the user follows.
    link: Option<Slot>,
    /// Where links lead: by variable, `None` for the redirect's.
    target_bytes: Vec<(Option<usize>, TargetByte)>,
    /// The user's counters.
    counters: Vec<(Counted, Counter)>,
    stride: usize,
}

/// A user variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The name in holes.
    pub name: String,
    /// Its place among the user's values.
    pub slot: Slot,
    /// Where its text comes from.
    pub source: Source,
}

/// Where the text of a variable comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Computed: the texts of these parts, joined.
    Parts(Vec<Part>),
    /// Extracted from an answer; empty before.
    Extracted(Demands),
}

/// A part of a computed variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A value of its own.
    Value(Value),
    /// The text of another variable that comes before it, by index.
    Variable(usize),
}

/// The constraints on an extracted value, from the places where it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// It is used in a header: no control characters (RFC 9110 section 5.5).
    pub in_header: bool,
    /// It is used in JSON without quotes: a number, `true`, `false` or `null`.
    pub bare_in_json: bool,
    /// A path begins with it: it is an absolute path, or a URL of the target.
    pub as_link: bool,
    /// It is such a beginning in a step that is sent without a look at the value: it cannot be empty.
    pub not_empty: bool,
}

impl Variables {
    /// Adds a computed variable after the others.
    pub fn add(&mut self, name: &str, parts: Vec<Part>, feeder: &Feeder) {
        let sizes = parts.iter().map(|part| match part {
            Part::Value(value) => (value.bytes_max(feeder), value.is_fixed(feeder)),
            Part::Variable(other) => {
                let slot = self.variables[*other].slot;
                (slot.bytes_max, slot.fixed)
            }
        });
        let (bytes_max, fixed) =
            sizes.fold((0, true), |sum, part| (sum.0 + part.0, sum.1 && part.1));
        self.push(name, bytes_max, fixed, Source::Parts(parts));
    }

    /// Adds a variable that a step extracts from an answer; returns its index.
    pub fn add_extracted(&mut self, name: &str, bytes_max: usize) -> usize {
        self.push(
            name,
            bytes_max,
            false,
            Source::Extracted(Demands::default()),
        );
        self.variables.len() - 1
    }

    /// The place of the link that a user follows; added with the first call.
    pub fn link(&mut self) -> Slot {
        let link = self.link.unwrap_or(Slot {
            offset: self.stride,
            bytes_max: LINK_BYTES,
            fixed: false,
        });
        if self.link.replace(link).is_none() {
            self.stride += link.stride();
        }
        link
    }

    /// The byte that says which target the link in an extracted variable leads to, or with `None` that of the redirect which
    /// the user follows; added with the first call.
    pub fn target_byte(&mut self, variable: Option<usize>) -> TargetByte {
        if let Some(byte) = self.find_target_byte(variable) {
            return byte;
        }
        let byte = TargetByte {
            offset: self.stride,
        };
        self.stride += TargetByte::BYTES;
        self.target_bytes.push((variable, byte));
        byte
    }

    /// The same byte, where it has been added.
    pub fn find_target_byte(&self, variable: Option<usize>) -> Option<TargetByte> {
        let mut known = self.target_bytes.iter();
        let found = known.find(|(known, _)| *known == variable);
        found.map(|(_, byte)| *byte)
    }

    /// The place of a counter; added with the first call.
    pub fn counter(&mut self, counted: Counted) -> Counter {
        let mut known = self.counters.iter();
        if let Some((_, counter)) = known.find(|(known, _)| *known == counted) {
            return *counter;
        }
        let counter = Counter {
            offset: self.stride,
        };
        self.counters.push((counted, counter));
        self.stride += Counter::BYTES;
        counter
    }

    /// Adds a jar for the user's cookies of another target, of so many bytes; returns its place.
    pub fn add_jar(&mut self, bytes: usize) -> Slot {
        let jar = Slot {
            offset: self.stride,
            bytes_max: bytes,
            fixed: false,
        };
        self.stride += jar.stride();
        self.jars.push(jar);
        jar
    }

    fn push(&mut self, name: &str, bytes_max: usize, fixed: bool, source: Source) {
        let slot = Slot {
            offset: self.stride,
            bytes_max,
            fixed,
        };
        self.stride += slot.stride();
        self.variables.push(Variable {
            name: name.to_owned(),
            slot,
            source,
        });
    }

    /// The index of a variable, by its name.
    pub fn find(&self, name: &str) -> Option<usize> {
        let named = |variable: &Variable| variable.name == name;
        self.variables.iter().position(named)
    }

    /// A variable by its index.
    pub fn get(&self, index: usize) -> &Variable {
        &self.variables[index]
    }

    /// The constraints on an extracted variable, to be added to; `None` for a computed one.
    pub fn demands(&mut self, index: usize) -> Option<&mut Demands> {
        match &mut self.variables[index].source {
            Source::Extracted(demands) => Some(demands),
            Source::Parts(_) => None,
        }
    }

    /// The values in a variable's text, those of other variables in it included; empty for an extracted one.
    pub fn values(&self, index: usize) -> Vec<&Value> {
        match &self.variables[index].source {
            Source::Extracted(_) => Vec::new(),
            Source::Parts(parts) => parts
                .iter()
                .flat_map(|part| match part {
                    Part::Value(value) => vec![value],
                    Part::Variable(other) => self.values(*other),
                })
                .collect(),
        }
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|variable| variable.name.as_str())
    }

    /// The places of the extracted variables.
    pub fn extracted(&self) -> impl Iterator<Item = Slot> {
        let extracted = |variable: &&Variable| matches!(variable.source, Source::Extracted(_));
        self.variables
            .iter()
            .filter(extracted)
            .map(|variable| variable.slot)
    }

    /// The names and places of the extracted variables.
    pub fn extracted_by_name(&self) -> impl Iterator<Item = (&str, Slot)> {
        let extracted = |variable: &&Variable| matches!(variable.source, Source::Extracted(_));
        self.variables
            .iter()
            .filter(extracted)
            .map(|variable| (variable.name.as_str(), variable.slot))
    }

    /// Puts `<name>` in the place of each extracted variable, as far as there is room.
    pub fn show_extracted(&self, values: &mut [u8]) {
        if let Some(link) = self.link {
            link.store(b"<Location>", values);
        }
        for variable in &self.variables {
            if matches!(variable.source, Source::Extracted(_)) {
                let shown = format!("<{}>", variable.name);
                let length = shown.len().min(variable.slot.bytes_max);
                variable.slot.store(&shown.as_bytes()[..length], values);
            }
        }
    }

    /// Bytes of a user's values.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Computes a user's variables, once, when the user comes.
    pub fn fill(&self, origin: &Origin<'_>, values: &mut [u8]) {
        for jar in &self.jars {
            jar.store(b"", values);
        }
        let mut text = vec![0; self.stride];
        let mut holes = 0;
        for variable in &self.variables {
            let mut at = 0;
            if let Source::Parts(parts) = &variable.source {
                for part in parts {
                    at += match part {
                        Part::Value(value) => {
                            holes += usize::from(!matches!(value, Value::Literal(_)));
                            let origin = Origin { values, ..*origin };
                            value.write(holes, &origin, &mut text[at..])
                        }
                        Part::Variable(other) => {
                            let other = self.variables[*other].slot.text(values);
                            text[at..at + other.len()].copy_from_slice(other);
                            other.len()
                        }
                    };
                }
            }
            variable.slot.store(&text[..at], values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::random::{Keyed, Stream};

    #[test]
    fn every_user_has_its_own_values_and_always_the_same() {
        let feeder = Feeder::default();
        let mut variables = Variables::default();
        let literal = |text: &str| Part::Value(Value::Literal(text.into()));
        let uuid = || Part::Value(Value::Uuid);
        variables.add("id", vec![literal("agent-"), uuid()], &feeder);
        variables.add("n", vec![Part::Value(Value::User)], &feeder);
        variables.add("other", vec![uuid()], &feeder);
        variables.add("name", vec![literal("<"), Part::Variable(0)], &feeder);
        variables.add_extracted("token", 10);
        let fill = |user| {
            let mut values = vec![0xff; variables.stride()];
            let origin = Origin {
                random: Keyed::new(7),
                user,
                stream: Stream::Variable,
                text: 0,
                iteration: user,
                users: 1,
                wall_ns: 0,
                feeder: &feeder,
                values: &[],
            };
            variables.fill(&origin, &mut values);
            ["id", "n", "other", "name", "token"].map(|name| {
                let slot = variables.get(variables.find(name).expect("added")).slot;
                slot.text(&values).to_vec()
            })
        };
        let [id, n, other, name, token] = fill(123_456);
        assert!(id.starts_with(b"agent-") && id.len() == 42);
        assert_eq!(n, b"123456");
        assert_ne!(id[6..], other[..]);
        assert_eq!(name, [b"<", &id[..]].concat());
        assert_eq!(token, b"");
        assert_eq!(fill(123_456)[0], id);
        assert_ne!(fill(123_457)[0], id);
    }
}

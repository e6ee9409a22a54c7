//! What is computed once per user, and where it lies: one flat stride of bytes per user.

use std::fmt::Write;

use crate::http::request::Slot;

use super::random::{Keyed, Stream};

/// Length of a uuid's text.
const UUID_BYTES: usize = 36;
/// Longest user number in decimal.
const NUMBER_BYTES_MAX: usize = 20;

/// All user variables of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    variables: Vec<Variable>,
    stride: usize,
}

/// A user variable: its text is the parts' one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Variable {
    name: String,
    parts: Vec<VariablePart>,
    slot: Slot,
}

/// A part of a variable's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VariablePart {
    /// The same for everybody.
    Literal(String),
    /// A fresh v4 uuid.
    Uuid,
    /// The user's number in the run, from 0.
    User,
}

impl Variables {
    /// Adds a variable behind the others.
    pub fn add(&mut self, name: &str, parts: Vec<VariablePart>) {
        let bytes_max = parts.iter().map(VariablePart::bytes_max).sum();
        let slot = Slot {
            offset: self.stride,
            bytes_max,
            fixed: !parts.contains(&VariablePart::User),
        };
        self.stride += slot.stride();
        self.variables.push(Variable {
            name: name.to_owned(),
            parts,
            slot,
        });
    }

    /// Where a variable lies in a user's bytes.
    pub fn slot(&self, name: &str) -> Option<Slot> {
        let found = self.variables.iter().find(|variable| variable.name == name);
        found.map(|variable| variable.slot)
    }

    /// The literal text in a variable, for checks of where it may stand.
    pub fn literals(&self, name: &str) -> impl Iterator<Item = &str> {
        let parts = self.variables.iter().filter(move |v| v.name == name);
        parts.flat_map(|v| &v.parts).filter_map(|part| match part {
            VariablePart::Literal(text) => Some(text.as_str()),
            VariablePart::Uuid | VariablePart::User => None,
        })
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|variable| variable.name.as_str())
    }

    /// Bytes per user.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Computes a user's variables, once, when it is spawned.
    pub fn fill(&self, user: u64, random: &Keyed, values: &mut [u8]) {
        let mut uuids = 0;
        let mut text = String::with_capacity(self.stride);
        for variable in &self.variables {
            text.clear();
            for part in &variable.parts {
                match part {
                    VariablePart::Literal(literal) => text.push_str(literal),
                    VariablePart::User => {
                        write!(text, "{user}").expect("writing to a String succeeds");
                    }
                    VariablePart::Uuid => {
                        let uuid = random.uuid(user, Stream::Variable, uuids);
                        uuids += 1;
                        text.push_str(uuid.hyphenated().encode_lower(&mut [0; UUID_BYTES]));
                    }
                }
            }
            variable.slot.store(text.as_bytes(), values);
        }
    }
}

impl VariablePart {
    fn bytes_max(&self) -> usize {
        match self {
            Self::Literal(text) => text.len(),
            Self::Uuid => UUID_BYTES,
            Self::User => NUMBER_BYTES_MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_user_has_its_own_values_and_always_the_same() {
        let mut variables = Variables::default();
        let uuid_part = VariablePart::Uuid;
        variables.add(
            "id",
            vec![VariablePart::Literal("agent-".into()), uuid_part.clone()],
        );
        variables.add("n", vec![VariablePart::User]);
        variables.add("other", vec![uuid_part]);
        let random = Keyed::new(7);
        let fill = |user| {
            let mut values = vec![0; variables.stride()];
            variables.fill(user, &random, &mut values);
            let text = |name| variables.slot(name).expect("added").text(&values).to_vec();
            (text("id"), text("n"), text("other"))
        };
        let (id, n, other) = fill(123_456);
        assert!(id.starts_with(b"agent-") && id.len() == 42);
        assert_eq!(n, b"123456");
        assert_ne!(id[6..], other[..]);
        assert_eq!(fill(123_456).0, id);
        assert_ne!(fill(123_457).0, id);
    }
}

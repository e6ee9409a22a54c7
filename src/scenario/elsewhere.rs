//! Where a request goes: to the target of the run, to one that the scenario names, or to the one that a link decides.
//!
//! A target is a number: 0 is that of the run, the named ones follow in the order of `[targets]`. A request whose path
//! begins with a link has a template for each target. Which one is sent says a byte of the user's values, which is stored
//! together with the link.

use crate::http::request::Template;

use super::target::Target;

/// Most targets that a scenario names.
pub const NAMED_MAX: usize = 8;

/// A further target of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name in the scenario.
    pub name: String,
    /// Its URL, taken apart.
    pub target: Target,
}

/// The byte of a user's values that says which target a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetByte {
    /// Its offset among the values, in bytes.
    pub offset: usize,
}

impl TargetByte {
    /// Bytes that it takes among the values.
    pub const BYTES: usize = 1;

    /// The target.
    #[inline]
    pub fn get(self, values: &[u8]) -> u16 {
        u16::from(values[self.offset])
    }

    /// Stores the target of a link.
    pub fn set(self, target: usize, values: &mut [u8]) {
        values[self.offset] = target as u8;
    }
}

/// The requests of a step whose link decides where it goes.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    /// Says which target it is.
    pub byte: TargetByte,
    /// The request to each named target; that to the target of the run is the step's own. They differ in the target's
    /// parts and in credentials.
    pub templates: Vec<Template>,
}

impl Elsewhere {
    /// The request for a user whose link leads to a named target.
    #[inline]
    pub fn template(&self, values: &[u8]) -> Option<&Template> {
        let target = usize::from(self.byte.get(values));
        self.templates.get(target.checked_sub(1)?)
    }
}

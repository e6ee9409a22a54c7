//! How a command ends: its exit code, and which errors are the machine's or the target's.

use std::process::ExitCode;

use anyhow::Result;

/// The end of a command that was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(pub u8);

impl Exit {
    /// All well.
    pub const OK: Self = Self(0);
    /// It ended, but something failed.
    pub const FAILED: Self = Self(1);
    /// It could not be carried out, or something it made could not be written.
    pub const CANNOT: Self = Self(3);
    /// A rule was broken, or a comparison found a regression.
    pub const BROKEN: Self = Self(4);
    /// With `--require-valid`: the verdict is not VALID.
    pub const NOT_VALID: Self = Self(5);
    /// Interrupted; the report was written all the same.
    pub const INTERRUPTED: Self = Self(130);

    /// Of several, the first in the order 130, 3, 4, 5, any other, 0.
    pub fn gravest(exits: impl IntoIterator<Item = Self>) -> Self {
        const ORDER: [Exit; 4] = [
            Exit::INTERRUPTED,
            Exit::CANNOT,
            Exit::BROKEN,
            Exit::NOT_VALID,
        ];
        let rank = |exit: &Self| match ORDER.iter().position(|known| known == exit) {
            Some(place) => place,
            None => ORDER.len() + usize::from(*exit == Self::OK),
        };
        exits.into_iter().min_by_key(rank).unwrap_or(Self::OK)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// An error whose cause lies with the machine or the target, not with what was typed: exit code 3 instead of 2.
#[derive(Debug)]
pub struct CannotCarryOut;

impl std::fmt::Display for CannotCarryOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the run could not be carried out")
    }
}

/// Marks an error as [`CannotCarryOut`].
pub fn cannot<T>(result: Result<T>) -> Result<T> {
    result.map_err(|error| error.context(CannotCarryOut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_exits_the_gravest_is_that_of_the_command() {
        let all = [130, 3, 4, 5, 1, 0].map(Exit);
        for (place, expected) in all.iter().enumerate() {
            let rest = all[place..].iter().rev().copied();
            assert_eq!(Exit::gravest(rest), *expected);
        }
        assert_eq!(Exit::gravest([Exit::OK, Exit(7)]), Exit(7));
        assert_eq!(Exit::gravest([]), Exit::OK);
    }
}

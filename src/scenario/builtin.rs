//! The scenarios that come with the program, in the format of every scenario file.

/// A scenario that comes with the program.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// Its name.
    pub name: &'static str,
    /// Its number in Ops-Core's load plan, by which it can be named too.
    pub number: &'static str,
    /// The text of its file.
    pub text: &'static str,
}

/// The scenarios that come with the program.
pub const BUILTIN: [Builtin; 5] = [
    Builtin {
        name: "minimal",
        number: "0",
        text: include_str!("builtin/minimal.toml"),
    },
    Builtin {
        name: "state-updates",
        number: "1",
        text: include_str!("builtin/state-updates.toml"),
    },
    Builtin {
        name: "workflow",
        number: "2",
        text: include_str!("builtin/workflow.toml"),
    },
    Builtin {
        name: "mixed",
        number: "3",
        text: include_str!("builtin/mixed.toml"),
    },
    Builtin {
        name: "stress",
        number: "4",
        text: include_str!("builtin/stress.toml"),
    },
];

/// The whole format, explained in a scenario that uses all of it.
pub const FORMAT: &str = include_str!("format/example.toml");

/// A built-in scenario by name or number.
pub fn builtin(name: &str) -> Option<&'static Builtin> {
    BUILTIN
        .iter()
        .find(|builtin| builtin.name == name || builtin.number == name)
}

//! The phases of a run, and the values that the later ones have from the setup.

use crate::text::suggest::did_you_mean;

/// A phase of a run, with steps of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// `[[setup]]`, once before the load.
    Setup,
    /// What users do.
    Load,
    /// `[[teardown]]`, once after the load.
    Teardown,
}

/// The values that the setup extracts.
pub(super) struct SetupValues<'c> {
    /// Their names.
    pub names: Vec<String>,
    /// Their texts by name; before the setup has run they are not known.
    pub values: &'c [(String, String)],
    /// The phase whose steps are compiled.
    pub phase: Phase,
}

impl<'c> SetupValues<'c> {
    /// The value of `{{setup.NAME}}`; `None` before the setup has run.
    ///
    /// # Errors
    /// The reason why there can be none.
    pub fn find(&self, name: &str) -> Result<Option<&'c str>, String> {
        if self.phase == Phase::Setup {
            return Err(format!(
                "{{{{setup.{name}}}}} is known when the setup is over; in a later step of the setup write {{{{{name}}}}}, and where [headers] have it, drop_headers"
            ));
        }
        if !self.names.iter().any(|known| known == name) {
            let near = did_you_mean(name, self.names.iter().map(String::as_str));
            return Err(match self.names.is_empty() {
                true => format!(
                    "no [[setup]] step extracts {name}; add one with extract = {{ {name} = {{ json = \"/{name}\" }} }}"
                ),
                false => format!("no [[setup]] step extracts {name}{near}"),
            });
        }
        let mut values = self.values.iter();
        let found = values.find(|(known, _)| known == name);
        Ok(found.map(|(_, value)| value.as_str()))
    }
}

//! Spans: steps that are measured as a whole, by name, from the step that begins one to the step that ends it.

use super::place::ScenarioError;
use super::toml::{Item, Table};
use crate::scenario::members::label;
use crate::text::suggest::did_you_mean;

/// Most spans of a scenario.
const SPANS_MAX: usize = 1_000;

/// Names of spans, and the places that give their beginning and their end.
#[derive(Default)]
pub(super) struct Spans<'s>(Vec<(&'s str, [Option<Item<'s>>; 2])>);

impl<'s> Spans<'s> {
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| label(name)).collect()
    }

    /// Adds one end (0 begins, 1 ends) of a span; returns the span's index.
    pub fn at(&mut self, name: &'s str, end: usize, item: Item<'s>) -> Result<u16, ScenarioError> {
        let index = self.0.iter().position(|(known, _)| *known == name);
        let index = match index {
            Some(index) => index,
            None if self.0.len() == SPANS_MAX => {
                return Err(item.error(format!("more than {SPANS_MAX} names of spans")));
            }
            None => {
                self.0.push((name, [None, None]));
                self.0.len() - 1
            }
        };
        let place = &mut self.0[index].1[end];
        if place.is_some() {
            let what = ["begins", "ends"][end];
            return Err(item.error(format!(
                "the name \"{name}\" is taken: what is measured under it {what} twice"
            )));
        }
        *place = Some(item);
        Ok(index as u16)
    }

    /// The spans that a key of a step names, each an end as [`Spans::at`] says.
    pub fn read(
        &mut self,
        table: &Table<'s>,
        key: &'static str,
        end: usize,
    ) -> Result<Vec<u16>, ScenarioError> {
        let items = table.get(key);
        let items = items.iter().flat_map(Item::one_or_several);
        items.map(|item| self.at(item.text()?, end, item)).collect()
    }

    /// Checks that every span has both ends.
    pub fn check(&self) -> Result<(), ScenarioError> {
        for (name, ends) in &self.0 {
            let (item, missing) = match ends {
                [Some(begins), None] => (begins, "ends"),
                [None, Some(ends)] => (ends, "begins"),
                _ => continue,
            };
            let others = self.0.iter().map(|(other, _)| *other);
            let near = did_you_mean(name, others.filter(|other| other != name));
            return Err(item.error(format!("no step has {missing} = \"{name}\"{near}")));
        }
        Ok(())
    }
}

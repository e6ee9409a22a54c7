//! All that the screen shows: what is known of the run, what keys have set, and the message of the moment. Pure.

use std::ops::Range;
use std::sync::Arc;

use crate::metrics::tick::Tick;
use crate::text::units::{level as shown_level, shortened};

use super::history::History;
use super::keys::{Changes, Keys};

/// Frames that a message stays.
const MESSAGE_FRAMES: u32 = 32;
/// Longest target, scenario or name that is kept, in characters.
const NAME_MAX: usize = 200;

/// What a run is, fixed before it begins. Texts that a terminal can show as they are.
#[derive(Clone, Debug)]
pub struct About {
    /// The target.
    pub target: String,
    /// Name of the scenario.
    pub scenario: String,
    /// Length of the load in seconds, where it is bounded.
    pub run_time_s: Option<f64>,
    /// Method and name of each metric.
    pub steps: Vec<String>,
    /// Name of each kind of user, and its metrics; empty where there is only one.
    pub kinds: Vec<(String, Range<usize>)>,
    /// Address of the live page, where there is one.
    pub page: Option<String>,
    /// Colours are wanted.
    pub has_colour: bool,
}

/// The screen's state.
#[derive(Clone, Debug)]
pub struct State {
    pub about: About,
    /// What is shown: the run, or what was known of it when the display was paused.
    pub shown: History,
    /// What is known of the run, while the display is paused.
    ahead: Option<Box<History>>,
    pub keys: Keys,
    message: Option<(String, u32)>,
    /// The level that was asked for last.
    pub level_asked: Option<f64>,
}

impl State {
    pub fn new(mut about: About, changes: Result<Changes, String>) -> Self {
        let texts = [&mut about.target, &mut about.scenario];
        let kinds = about.kinds.iter_mut().map(|(name, _)| name);
        for text in texts.into_iter().chain(&mut about.steps).chain(kinds) {
            *text = shortened(text, NAME_MAX);
        }
        Self {
            about,
            shown: History::default(),
            ahead: None,
            keys: Keys::new(changes),
            message: None,
            level_asked: None,
        }
    }

    /// Takes the next tick, which a paused display does not show.
    pub fn on_tick(&mut self, tick: Arc<Tick>) {
        match (&mut self.ahead, self.keys.is_paused) {
            (Some(ahead), true) => ahead.push(tick),
            (None, true) => {
                let mut ahead = Box::new(self.shown.clone());
                ahead.push(tick);
                self.ahead = Some(ahead);
            }
            (_, false) => {
                self.catch_up();
                self.shown.push(tick);
            }
        }
    }

    /// Shows what happened while the display was paused.
    pub fn catch_up(&mut self) {
        if let Some(ahead) = self.ahead.take_if(|_| !self.keys.is_paused) {
            self.shown = *ahead;
        }
    }

    /// Users, or iterations per second: what was asked for last, else what there is.
    pub fn level(&self) -> f64 {
        let now = self.ahead.as_deref().unwrap_or(&self.shown);
        let is_open = self.keys.changes().is_ok_and(|changes| changes.is_open);
        let measured = match is_open {
            true => now.due_per_s().map(f64::round),
            false => now.last().map(|tick| tick.second.users as f64),
        };
        self.level_asked.or(measured).unwrap_or(0.0)
    }

    /// Shows a sentence for a while.
    pub fn say(&mut self, message: String) {
        self.message = Some((message, MESSAGE_FRAMES));
    }

    /// The sentence of a change.
    pub fn say_change(&mut self, level: f64) {
        if let Ok(changes) = self.keys.changes() {
            let limit = match level {
                level if level >= changes.max => ", the most that this run has room for",
                level if level <= changes.min => ", the least",
                _ => "",
            };
            let noun = changes.noun();
            self.say(format!("{} {noun} asked for{limit}", shown_level(level)));
        }
    }

    /// The message of the moment.
    pub fn message(&self) -> Option<&str> {
        self.message.as_ref().map(|(text, _)| text.as_str())
    }

    /// A frame was drawn, or would have been; whether a message ends with it.
    pub fn on_frame(&mut self) -> bool {
        match &mut self.message {
            Some((_, 0)) => {
                self.message = None;
                true
            }
            Some((_, frames)) => {
                *frames -= 1;
                false
            }
            None => false,
        }
    }
}

//! The live display of a run: which one, started and ended, with its way to the run.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::engine::Wanted;
use crate::live::line::Line;
use crate::live::screen::keys::Changes;
use crate::live::screen::state::About;
use crate::live::screen::terminal;
use crate::live::screen::thread::{Controls, Screen};
use crate::metrics::tick::Ticks;
use crate::session::job::Live;
use crate::session::orders;
use crate::session::output::{
    columns, has_colour, hold, newest_held, note, release, release_after, set_before_exit,
    take_continued,
};
use crate::session::prepare::Prepared;
use crate::text::printable;

/// How long the end of a run waits for its screen.
const END_WAIT: Duration = Duration::from_millis(500);

/// The display that is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Screen,
    /// Drawn again each second.
    Line,
    /// A line every 10 s.
    Log,
    Nothing,
}

impl Shown {
    /// The display for what was asked for, on the terminal that there is.
    ///
    /// # Errors
    /// When the screen was asked for where it cannot be shown.
    pub fn of(live: Live) -> Result<Self> {
        let is_able = terminal::is_able();
        Ok(match live {
            Live::Nothing => Self::Nothing,
            Live::Screen if !is_able => bail!(
                "--live screen: the screen needs a terminal at standard input, output and error, and a TERM other than dumb; leave it out, or give --live line"
            ),
            Live::Screen => Self::Screen,
            Live::Auto if is_able => Self::Screen,
            Live::Auto | Live::Line => match std::io::stderr().is_terminal() {
                true => Self::Line,
                false => Self::Log,
            },
        })
    }
}

/// A display that is running.
pub enum Display {
    Screen(Screen),
    Line(Line),
    Nothing,
}

impl Display {
    /// Starts it. A screen that the terminal refuses is replaced by the line.
    /// `page` is the address of the live page.
    pub fn start(
        shown: Shown,
        prepared: &Prepared,
        ticks: Arc<Ticks>,
        page: Option<String>,
    ) -> Self {
        let line = |ticks| Self::Line(Line::start(ticks, columns(std::io::stderr()) - 1));
        match shown {
            Shown::Nothing => Self::Nothing,
            Shown::Line => line(ticks),
            Shown::Log => Self::Line(Line::start_log(ticks)),
            Shown::Screen => {
                set_before_exit(terminal::give_back);
                hold();
                let started =
                    Screen::start(ticks.clone(), about(prepared, page), controls(prepared));
                started.map(Self::Screen).unwrap_or_else(|error| {
                    release();
                    note(format_args!("note: the screen cannot be shown: {error}"));
                    line(ticks)
                })
            }
        }
    }

    /// Ends it, after the ticks were closed. Returns the CPU time of the screen, in seconds.
    pub fn end(self) -> Option<f64> {
        match self {
            Self::Nothing => None,
            Self::Line(line) => {
                line.end();
                None
            }
            Self::Screen(screen) => {
                let cost = release_after(move || screen.wait(), END_WAIT);
                cost.flatten().map(|cost| cost.as_secs_f64())
            }
        }
    }
}

/// What the screen says of the run, without a character that a terminal would obey.
fn about(prepared: &Prepared, page: Option<String>) -> About {
    let scenario = &prepared.plan.scenario;
    let safe = printable::in_one_line;
    About {
        target: safe(&prepared.target_shown()),
        scenario: safe(&scenario.name),
        run_time_s: prepared.plan.run_time_ns.map(|ns| ns as f64 / 1e9),
        steps: scenario
            .metrics
            .iter()
            .map(|label| safe(&format!("{} {}", label.method, label.name)))
            .collect(),
        kinds: scenario
            .kinds
            .iter()
            .filter(|_| scenario.has_kinds())
            .map(|kind| {
                let metrics = usize::from(kind.metrics.start)..usize::from(kind.metrics.end);
                (safe(&kind.name), metrics)
            })
            .collect(),
        page,
        has_colour: has_colour(),
    }
}

/// The screen's way to the run.
fn controls(prepared: &Prepared) -> Controls {
    let (asks, answers) = (prepared.control.clone(), prepared.control.clone());
    let limits = orders::limits(&prepared.plan);
    Controls {
        interrupt: Box::new(|| {
            // The listener for signals is the only one that knows what a second one means.
            let _ = kill(Pid::this(), Signal::SIGINT);
        }),
        change: Box::new(move |level| {
            asks.ask(Wanted {
                level,
                by: "screen",
            });
        }),
        level_asked: Box::new(move || answers.level_asked()),
        message: Box::new(newest_held),
        was_continued: Box::new(take_continued),
        changes: limits.map_err(str::to_owned).map(|limits| Changes {
            is_open: limits.is_open,
            min: limits.min,
            max: limits.max,
        }),
    }
}

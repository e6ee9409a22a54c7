//! Rules, judged over a window: `[STEP.]MEASURE OP VALUE`, such as `workflow.p95>1s`.
//!
//! A rule says what is bad, or with `--require` what has to hold. It judges a window and never the whole run, since
//! averages from the start on dilute the step of the load that matters. A rule without a step judges the work loop:
//! logins and logouts come at other times than the load, so only a rule that names them judges them.
//!
//! Requests that are open at a window's end count in times at their age, which is a lower bound. They may raise a value,
//! and break a rule by it; they never lower a value, and never show that a rule was kept.
//!
//! Reading order: `rule` (parse, judge, show), `names` (the steps that a rule means), `groups` (tasks and kinds), `measure` (its value and unit),
//! `window` (what the value is taken from), `goal` (how well a measure is to be known).

mod goal;
mod groups;
mod measure;
mod names;
mod rule;
mod window;

pub use goal::{Goal, Quantity};
pub use groups::Groups;
pub use measure::{MEASURES, REQUESTS_MIN};
pub use names::{StepName, labels};
pub use rule::{Basis, Finding, OPS_CORE_RULES, Purpose, Rule};
pub use window::Window;

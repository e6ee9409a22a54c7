//! Rules that say what is bad, judged over a window: `[STEP.]MEASURE OP VALUE`, such as `workflow.p95>1s`.
//!
//! A window and never the whole run, since averages from the start on dilute the step of the load that matters.

use crate::metrics::interval::{Interval, StepInterval};

/// The limits that Ops-Core's own stress test stops at: the average of any one step, and failures of all requests.
pub const OPS_CORE_RULES: [&str; 2] = ["*.avg>2s", "errors>5%"];

/// Fewer requests than this break no rule on times or failures: one slow answer or one failure of nine would be 11 %
/// of them, which says nothing about the server.
pub const REQUESTS_MIN: u64 = 10;

/// A value within this share of its limit, on either side, could as well have fallen on the other.
const NEAR_SHARE: f64 = 0.10;
/// Measures as they are written; percentiles stand for all of theirs.
const MEASURES: [&str; 9] = [
    "avg", "p50", "p90", "p95", "p99", "p99.9", "max", "rps", "errors",
];
/// Units of time, with their length in microseconds.
const UNITS: [(&str, f64); 5] = [
    ("us", 1.0),
    ("ms", 1e3),
    ("s", 1e6),
    ("m", 60e6),
    ("h", 3_600e6),
];

/// Method and name of a step.
type Label = (String, String);

/// A rule; it is *broken* when its comparison holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// As it was written.
    pub text: String,
    // INVARIANT: a step in the scope is an index of `labels`; the limit is in the measure's unit.
    scope: Scope,
    measure: Measure,
    comparison: Comparison,
    limit: f64,
    limit_text: String,
    labels: Vec<String>,
}

/// What happened in a stretch of time, by metric.
#[derive(Clone, Debug)]
pub struct Window {
    /// Its length.
    pub length_ns: u64,
    /// By metric, in the order of the steps that the rules were parsed with.
    pub steps: Vec<StepInterval>,
    /// Requests that were under way when it began.
    pub in_flight: u64,
}

/// What a rule says of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// The comparison holds.
    pub broken: bool,
    /// Microseconds, requests per second or a share of 0 to 1; none when there were too few requests.
    pub value: Option<f64>,
    /// The step that decided, by its metric; for `*` the worst; none for all requests together.
    pub step: Option<usize>,
    /// The value is within 10 % of the limit, on either side.
    pub near: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Scope {
    /// All requests together.
    All,
    /// Any single step.
    Any,
    Step(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Measure {
    Average,
    Percentile(f64),
    Max,
    PerSecond,
    Failures,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
}

impl Window {
    /// An empty one.
    pub fn new(steps: usize) -> Self {
        Self {
            length_ns: 0,
            steps: vec![StepInterval::default(); steps],
            in_flight: 0,
        }
    }

    /// Appends a stretch of that length, at whose beginning `in_flight` requests were under way.
    pub fn add(&mut self, interval: &Interval, length_ns: u64, in_flight: u64) {
        if self.length_ns == 0 {
            self.in_flight = in_flight;
        }
        self.length_ns += length_ns;
        self.add_steps(&interval.steps);
    }

    /// Appends a later window.
    pub fn join(&mut self, later: &Self) {
        if self.length_ns == 0 {
            self.in_flight = later.in_flight;
        }
        self.length_ns += later.length_ns;
        self.add_steps(&later.steps);
    }

    fn add_steps(&mut self, steps: &[StepInterval]) {
        for (step, more) in self.steps.iter_mut().zip(steps) {
            *step += more;
        }
    }

    /// Requests that were under way when it began and still were at its end: more were than have ended since.
    fn stuck(&self) -> u64 {
        let ended: u64 = self.steps.iter().map(|step| step.response.count()).sum();
        self.in_flight.saturating_sub(ended)
    }

    /// All steps added up, those that are stuck at the age that they have at least.
    fn all_with_stuck(&self) -> StepInterval {
        let mut all = self.all();
        for _ in 0..self.stuck() {
            all.response.record(self.length_ns);
        }
        all
    }

    /// All steps added up; costs a histogram, so it is not kept.
    pub fn all(&self) -> StepInterval {
        let mut all = StepInterval::default();
        for step in &self.steps {
            all += step;
        }
        all
    }
}

impl Rule {
    /// Reads a rule over the steps of a plan, given as (method, name) in the order of their metrics. STEP is a name,
    /// `METHOD name`, the last segment of a name that no other shares, or `*` for any single step.
    ///
    /// # Errors
    /// With the offending part, why, and what would do instead.
    pub fn parse(text: &str, steps: &[(String, String)]) -> Result<Self, String> {
        let text = text.trim();
        let in_rule = |why: String| format!("rule \"{text}\": {why}");
        let Some(at) = text.rfind(['<', '>']) else {
            return Err(in_rule(
                "a comparison is missing; write for example \"avg>2s\" or \"errors>5%\"".into(),
            ));
        };
        let (left, right) = text.split_at(at);
        let (comparison, value) = comparison(right);
        let (step, measure) = step_and_measure(left.trim()).map_err(in_rule)?;
        let scope = step
            .map_or(Ok(Scope::All), |step| find(step, steps))
            .map_err(in_rule)?;
        let (limit, limit_text) = measure.limit(value).map_err(in_rule)?;
        Ok(Self {
            text: text.to_owned(),
            scope,
            measure,
            comparison,
            limit,
            limit_text,
            labels: labels(steps),
        })
    }

    /// Judges a window of the same steps.
    pub fn judge(&self, window: &Window) -> Finding {
        assert_eq!(window.steps.len(), self.labels.len(), "steps of one plan");
        let of_step = |index: usize| {
            let value = self.measure.value(&window.steps[index], window.length_ns);
            self.finding(Some(index), value)
        };
        let of_all = || {
            let all = window.all_with_stuck();
            // That nothing at all has ended is plain, however few were waiting for it.
            let is_silent = window.in_flight > 0 && window.stuck() == window.in_flight;
            let value = match self.measure.is_time() && is_silent {
                true => Some(window.length_ns as f64 / 1e3),
                false => self.measure.value(&all, window.length_ns),
            };
            self.finding(None, value)
        };
        match self.scope {
            Scope::All => of_all(),
            // Which step is stuck is not known, unless there is only one.
            Scope::Step(_) if self.labels.len() == 1 => of_all(),
            Scope::Step(index) => of_step(index),
            Scope::Any => (0..window.steps.len())
                .map(of_step)
                .chain((self.measure.is_time() && window.stuck() > 0).then(of_all))
                .filter(|finding| finding.value.is_some())
                .reduce(|worst, other| match self.is_worse(&other, &worst) {
                    true => other,
                    false => worst,
                })
                .unwrap_or_else(|| self.finding(None, None)),
        }
    }

    /// The finding as a sentence with units: `avg of POST …/workflow was 2.31 s, the limit is 2 s`.
    pub fn show(&self, finding: &Finding) -> String {
        let of = match (finding.step, self.scope) {
            (Some(index), _) => &self.labels[index],
            (None, Scope::Any) if finding.value.is_none() => "any single step",
            (None, _) => "all requests",
        };
        let measure = self.measure.name();
        let bound = match self.comparison {
            Comparison::Above | Comparison::AtLeast => "the limit is",
            Comparison::Below | Comparison::AtMost => "the lower limit is",
        };
        let limit = &self.limit_text;
        match finding.value {
            Some(value) => {
                let was = match self.measure {
                    Measure::Failures => "were",
                    _ => "was",
                };
                let value = self.measure.show(value);
                format!("{measure} of {of} {was} {value}, {bound} {limit}")
            }
            None => format!(
                "{measure} of {of}: fewer than {REQUESTS_MIN} requests, too few to judge; {bound} {limit}"
            ),
        }
    }

    fn finding(&self, step: Option<usize>, value: Option<f64>) -> Finding {
        let is_near = |value: f64| {
            // With a limit of 0, as in errors>0, nothing but 0 itself would be near, and every clean window is 0.
            self.limit > 0.0 && (value - self.limit).abs() <= NEAR_SHARE * self.limit
        };
        Finding {
            broken: value.is_some_and(|value| self.comparison.holds(value, self.limit)),
            value,
            step,
            near: value.is_some_and(is_near),
        }
    }

    fn is_worse(&self, one: &Finding, other: &Finding) -> bool {
        match self.comparison {
            Comparison::Above | Comparison::AtLeast => one.value > other.value,
            Comparison::Below | Comparison::AtMost => one.value < other.value,
        }
    }
}

impl Comparison {
    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Above => value > limit,
            Self::AtLeast => value >= limit,
            Self::Below => value < limit,
            Self::AtMost => value <= limit,
        }
    }
}

impl Measure {
    /// None when it is no measure; an error when it is one that cannot be.
    fn parse(text: &str) -> Option<Result<Self, String>> {
        match text {
            "avg" => return Some(Ok(Self::Average)),
            "max" => return Some(Ok(Self::Max)),
            "rps" => return Some(Ok(Self::PerSecond)),
            "errors" => return Some(Ok(Self::Failures)),
            _ => {}
        }
        let percent = number(text.strip_prefix('p')?)?;
        Some(match percent > 0.0 && percent <= 100.0 {
            true => Ok(Self::Percentile(percent)),
            false => Err(format!(
                "\"{text}\" is no percentile: they go from above 0 to 100; write p95 or p99.9"
            )),
        })
    }

    /// The value of a rule in this measure's unit, and as it is shown.
    fn limit(self, text: &str) -> Result<(f64, String), String> {
        let digits_end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (digits, unit) = text.split_at(digits_end);
        let unit = unit.trim();
        let (name, cure) = (self.name(), self.cure());
        let refuse = |why: &str| Err(format!("the value \"{text}\" of {name} {why}; {cure}"));
        let Some(number) = number(digits) else {
            return refuse(match text.chars().next() {
                None => "is missing",
                Some('-') => "is negative",
                Some(_) => "is not a number",
            });
        };
        match (self, unit) {
            (Self::Failures, "") if number < 1.0 => {
                // Rounded, since 0.07 × 100 is 7.000000000000001.
                let percent = (number * 1e8).round() / 1e6;
                Ok((number, format!("{percent} %")))
            }
            (Self::Failures, "") => refuse("is not a share below 1"),
            (Self::Failures, "%") if number <= 100.0 => Ok((number / 100.0, format!("{digits} %"))),
            (Self::Failures, "%") => refuse("is more than all requests"),
            (Self::PerSecond, "" | "/s") => Ok((number, format!("{digits}/s"))),
            (Self::Failures | Self::PerSecond, _) => refuse("has the wrong unit"),
            (_, "") => refuse("has no unit"),
            (_, unit) => match UNITS.iter().find(|(name, _)| *name == unit) {
                Some((_, us)) => Ok((number * us, format!("{digits} {unit}"))),
                None => refuse("has an unknown unit"),
            },
        }
    }

    fn cure(self) -> &'static str {
        match self {
            Self::Failures => "write 1% or 0.01",
            Self::PerSecond => "write 500 or 500/s",
            _ => "write 250ms or 2s",
        }
    }

    fn value(self, step: &StepInterval, length_ns: u64) -> Option<f64> {
        if self == Self::PerSecond {
            let seconds = length_ns as f64 / 1e9;
            return (seconds > 0.0).then(|| step.requests as f64 / seconds);
        }
        let count = match self {
            Self::Failures => step.requests,
            _ => step.response.count(),
        };
        (count >= REQUESTS_MIN).then(|| match self {
            Self::Average => step.response.mean_us(),
            Self::Percentile(percent) => step.response.percentile_us(percent),
            Self::Max => step.response.max_us(),
            Self::Failures | Self::PerSecond => step.failures as f64 / step.requests as f64,
        })
    }

    fn is_time(self) -> bool {
        !matches!(self, Self::Failures | Self::PerSecond)
    }

    fn name(self) -> String {
        match self {
            Self::Average => "avg".into(),
            Self::Percentile(percent) => format!("p{percent}"),
            Self::Max => "max".into(),
            Self::PerSecond => "rps".into(),
            Self::Failures => "errors".into(),
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Failures => format!("{} %", three_digits(value * 100.0)),
            Self::PerSecond => format!("{}/s", three_digits(value)),
            _ if value < 999.5 => format!("{value:.0} us"),
            _ if value < 999_500.0 => format!("{} ms", three_digits(value / 1e3)),
            _ => format!("{} s", three_digits(value / 1e6)),
        }
    }
}

/// Of `>= 2s`: the comparison and what follows it.
fn comparison(text: &str) -> (Comparison, &str) {
    let is_above = text.starts_with('>');
    let after = text[1..].trim_start();
    match (is_above, after.strip_prefix('=')) {
        (true, None) => (Comparison::Above, after),
        (true, Some(value)) => (Comparison::AtLeast, value.trim_start()),
        (false, None) => (Comparison::Below, after),
        (false, Some(value)) => (Comparison::AtMost, value.trim_start()),
    }
}

/// Of `workflow.p99.9`: the step, if any, and the measure. Both may contain points, but a measure follows only one.
fn step_and_measure(text: &str) -> Result<(Option<&str>, Measure), String> {
    for (at, _) in text.rmatch_indices('.') {
        if let Some(measure) = Measure::parse(text[at + 1..].trim_start()) {
            let step = text[..at].trim_end();
            return match step {
                "" => Err(format!(
                    "a step is missing before \"{text}\"; write {} for all requests, *{text} for any single step",
                    &text[1..]
                )),
                _ => Ok((Some(step), measure?)),
            };
        }
    }
    if let Some(measure) = Measure::parse(text) {
        return Ok((None, measure?));
    }
    let last = text.rsplit('.').next().unwrap_or_default().trim();
    let near = did_you_mean(last, MEASURES);
    let known = MEASURES.join(" ");
    Err(match last {
        "" => format!("a measure is missing before the comparison; there are {known}"),
        _ => format!("\"{last}\" is no measure{near}; there are {known}, and any other percentile"),
    })
}

/// The one step that a text means.
fn find(text: &str, steps: &[Label]) -> Result<Scope, String> {
    if text == "*" {
        return Ok(Scope::Any);
    }
    let spellings: [fn(&Label) -> String; 3] = [
        in_full,
        |(_, name)| name.clone(),
        |(_, name)| last_segment(name).to_owned(),
    ];
    for spelling in spellings {
        let is_meant = |&index: &usize| spelling(&steps[index]) == text;
        let found: Vec<usize> = (0..steps.len()).filter(is_meant).collect();
        match found[..] {
            [] => {}
            [one] => return Ok(Scope::Step(one)),
            _ => {
                let names: Vec<String> = found.iter().map(|&i| in_full(&steps[i])).collect();
                let names = names.join("\", \"");
                return Err(format!(
                    "\"{text}\" could be any of \"{names}\"; write one of these in full"
                ));
            }
        }
    }
    let full_names: Vec<String> = steps.iter().map(in_full).collect();
    let names = steps
        .iter()
        .flat_map(|(_, name)| [last_segment(name), name]);
    let near = did_you_mean(text, names.chain(full_names.iter().map(String::as_str)));
    let known = full_names.join("\", \"");
    Err(format!(
        "there is no step \"{text}\"{near}; there are \"{known}\""
    ))
}

fn in_full((method, name): &Label) -> String {
    format!("{method} {name}")
}

fn last_segment(name: &str) -> &str {
    name.trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(name)
}

/// `POST …/workflow` where that is one step only, else the full name.
fn labels(steps: &[Label]) -> Vec<String> {
    let short = |(method, name): &Label| match last_segment(name) {
        last if name.matches('/').count() > 1 => format!("{method} …/{last}"),
        _ => format!("{method} {name}"),
    };
    let all: Vec<String> = steps.iter().map(short).collect();
    let is_unique = |label: &String| all.iter().filter(|other| *other == label).count() == 1;
    all.iter()
        .zip(steps)
        .map(|(label, step)| match is_unique(label) {
            true => label.clone(),
            false => in_full(step),
        })
        .collect()
}

/// Digits with at most one point among them.
fn number(text: &str) -> Option<f64> {
    let is_plain = |c: char| c.is_ascii_digit() || c == '.';
    let has_ends = text.starts_with(|c: char| c.is_ascii_digit()) && !text.ends_with('.');
    let number = text
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())?;
    (has_ends && text.chars().all(is_plain)).then_some(number)
}

/// The known name that is most like a text, whatever its case, put as a question.
fn did_you_mean<'n>(text: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    let lower = text.to_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &lower);
    match known.into_iter().map(|name| (distance(name), name)).min() {
        Some((distance, name)) if distance <= 1 + name.len() / 2 => {
            format!("; did you mean \"{name}\"?")
        }
        _ => String::new(),
    }
}

fn three_digits(number: f64) -> String {
    match number {
        n if n >= 99.95 => format!("{n:.0}"),
        n if n >= 9.995 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> Vec<(String, String)> {
        [
            ("POST", "/v1/opscore/internal/agent/notify"),
            ("POST", "/v1/opscore/agent/[id]/state"),
            ("GET", "/v1/opscore/agent/[id]/state"),
            ("POST", "/v1/opscore/agent/[id]/workflow"),
            ("GET", "/v1.1/health"),
        ]
        .map(|(method, name)| (method.to_owned(), name.to_owned()))
        .to_vec()
    }

    fn rule(text: &str) -> Rule {
        Rule::parse(text, &steps()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Ten seconds in which each step had so many requests, so many failures, and this response time.
    fn window(figures: [(u64, u64, u64); 5]) -> Window {
        let mut window = Window::new(5);
        for _ in 0..2 {
            let mut interval = Interval::new(5);
            for (step, (requests, failures, ms)) in interval.steps.iter_mut().zip(figures) {
                step.requests = requests / 2;
                step.failures = failures / 2;
                for _ in 0..requests / 2 {
                    step.response.record(ms * 1_000_000);
                }
            }
            window.add(&interval, 5_000_000_000, 0);
        }
        window
    }

    /// The state steps are fast, the workflow is slow, health was asked too seldom, notify failed at times.
    fn busy() -> Window {
        window([
            (100, 8, 40),
            (600, 0, 10),
            (200, 0, 20),
            (100, 0, 2_310),
            (8, 8, 9_000),
        ])
    }

    fn check(text: &str, broken: bool, step: Option<usize>, near: bool, shown: &str) {
        let rule = rule(text);
        let finding = rule.judge(&busy());
        assert_eq!(rule.show(&finding), shown);
        assert_eq!(
            (finding.broken, finding.step, finding.near),
            (broken, step, near),
            "{text}: {finding:?}"
        );
    }

    #[test]
    fn a_rule_is_broken_when_its_comparison_holds_in_the_window() {
        let workflow = "of POST …/workflow was 2.31 s";
        check(
            "workflow.avg>2s",
            true,
            Some(3),
            false,
            &format!("avg {workflow}, the limit is 2 s"),
        );
        check(
            "workflow.p95 > 2.2 s",
            true,
            Some(3),
            true,
            &format!("p95 {workflow}, the limit is 2.2 s"),
        );
        check(
            "workflow.max<=3000ms",
            true,
            Some(3),
            false,
            &format!("max {workflow}, the lower limit is 3000 ms"),
        );
        check(
            "p50>11ms",
            false,
            None,
            true,
            "p50 of all requests was 10.0 ms, the limit is 11 ms",
        );
        check(
            "errors>=1.5%",
            true,
            None,
            true,
            "errors of all requests were 1.59 %, the limit is 1.5 %",
        );
        check(
            "notify.errors>0.07",
            true,
            Some(0),
            false,
            "errors of POST …/notify were 8.00 %, the limit is 7 %",
        );
        check(
            "rps<100/s",
            false,
            None,
            true,
            "rps of all requests was 101/s, the lower limit is 100/s",
        );
        check(
            "errors > 0",
            true,
            None,
            false,
            "errors of all requests were 1.59 %, the limit is 0 %",
        );
    }

    #[test]
    fn of_any_single_step_the_worst_decides() {
        check(
            "*.avg>2s",
            true,
            Some(3),
            false,
            "avg of POST …/workflow was 2.31 s, the limit is 2 s",
        );
        check(
            "*.p99<15ms",
            true,
            Some(1),
            false,
            "p99 of POST …/state was 10.0 ms, the lower limit is 15 ms",
        );
        check(
            "*.errors>5%",
            true,
            Some(0),
            false,
            "errors of POST …/notify were 8.00 %, the limit is 5 %",
        );
    }

    #[test]
    fn fewer_than_ten_requests_break_nothing_but_a_rate() {
        let few = "avg of GET …/health: fewer than 10 requests, too few to judge; the limit is 1 s";
        check("health.avg>1s", false, Some(4), false, few);
        check(
            "health.rps<1",
            true,
            Some(4),
            false,
            "rps of GET …/health was 0.80/s, the lower limit is 1/s",
        );
        let nothing = rule("*.avg>1s").judge(&Window::new(5));
        let expected = Finding {
            broken: false,
            value: None,
            step: None,
            near: false,
        };
        assert_eq!(nothing, expected);
        assert_eq!(
            rule("*.avg>1s").show(&nothing),
            "avg of any single step: fewer than 10 requests, too few to judge; the limit is 1 s"
        );
        let silence = Window {
            length_ns: 1_000_000_000,
            ..Window::new(5)
        };
        assert!(rule("rps<1").judge(&silence).broken);
        assert!(
            !rule("rps<1").judge(&Window::new(5)).broken,
            "no time, no rate"
        );
    }

    #[test]
    fn requests_that_are_stuck_count_at_the_age_that_they_have_at_least() {
        let steps = steps();
        // Twelve under way from the beginning on, of which four have ended: eight have taken 10 s or more.
        let stuck = |in_flight, answered| {
            let mut interval = Interval::new(steps.len());
            for _ in 0..answered {
                interval.steps[1].requests += 1;
                interval.steps[1].response.record(400_000_000);
            }
            let mut window = Window::new(steps.len());
            window.add(&Interval::new(steps.len()), 6_000_000_000, in_flight);
            window.add(&interval, 4_000_000_000, 0);
            window
        };
        for text in ["avg>2s", "*.avg>2s"] {
            let finding = rule(text).judge(&stuck(12, 4));
            assert!(finding.broken, "{text}");
            assert_eq!(finding.value.map(f64::round), Some(6_800_000.0), "{text}");
            assert!(rule(text).judge(&stuck(12, 0)).broken, "{text}");
            assert!(!rule(text).judge(&stuck(12, 12)).broken, "{text}");
            // Too few to judge, unless nothing has ended at all.
            assert_eq!(rule(text).judge(&stuck(9, 2)).value, None, "{text}");
            assert_eq!(rule(text).judge(&stuck(1, 0)).value, Some(1e7), "{text}");
            assert_eq!(rule(text).judge(&stuck(0, 0)).value, None, "{text}");
        }
        assert_eq!(rule("errors>1%").judge(&stuck(12, 4)).value, None);
        assert_eq!(rule("rps<1").judge(&stuck(12, 4)).value, Some(0.4));
    }

    #[test]
    fn windows_add_up_steps_and_time() {
        let window = busy();
        assert_eq!(
            (window.length_ns, window.all().requests),
            (10_000_000_000, 1_008)
        );
        assert_eq!(window.all().response.count(), 1_008);
    }

    #[test]
    fn steps_are_split_from_measures_at_the_right_point() {
        let parts = |text| {
            let rule = rule(text);
            (rule.scope, rule.measure, rule.comparison, rule.limit)
        };
        let p99_9 = Measure::Percentile(99.9);
        let (above, workflow) = (Comparison::Above, Scope::Step(3));
        assert_eq!(parts("workflow.p99.9>1s"), (workflow, p99_9, above, 1e6));
        assert_eq!(
            parts(" workflow . p99.9 > = 1.5 s "),
            (workflow, p99_9, Comparison::AtLeast, 1.5e6)
        );
        assert_eq!(parts("p99.9>800us"), (Scope::All, p99_9, above, 800.0));
        assert_eq!(
            parts("POST /v1/opscore/agent/[id]/workflow.avg>2m"),
            (workflow, Measure::Average, above, 120e6)
        );
        assert_eq!(
            parts("/v1.1/health.max<=1ms"),
            (Scope::Step(4), Measure::Max, Comparison::AtMost, 1e3)
        );
        assert_eq!(
            parts("GET /v1/opscore/agent/[id]/state.rps<5"),
            (Scope::Step(2), Measure::PerSecond, Comparison::Below, 5.0)
        );
        assert_eq!(parts("p100>1s").1, Measure::Percentile(100.0));
        assert_eq!(parts("errors>100%").3, 1.0);
        assert_eq!(rule(" avg>2s ").text, "avg>2s");
        for text in OPS_CORE_RULES {
            rule(text);
        }
    }

    #[test]
    fn a_wrong_rule_is_refused_with_reason_and_cure() {
        let refused = |text: &str, parts: &[&str]| {
            let error = Rule::parse(text, &steps()).expect_err(text);
            for part in parts {
                assert!(error.contains(part), "{error}");
            }
            assert!(error.starts_with(&format!("rule \"{text}\": ")), "{error}");
        };
        refused("p95", &["comparison is missing", "avg>2s"]);
        refused("p95=1s", &["comparison is missing"]);
        refused("workflow.p95>1", &["\"1\"", "no unit", "write 250ms or 2s"]);
        refused("avg>", &["missing", "write 250ms or 2s"]);
        refused("avg>-1s", &["negative"]);
        refused("avg>1.2.3s", &["not a number"]);
        refused("avg>1sec", &["unknown unit"]);
        refused("avg>5%", &["unknown unit"]);
        refused("errors>5", &["not a share below 1", "write 1% or 0.01"]);
        refused("errors>101%", &["more than all"]);
        refused("errors>1s", &["wrong unit"]);
        refused("rps<1s", &["wrong unit", "500/s"]);
        refused("p0>1s", &["from above 0 to 100"]);
        refused("workflow.p100.1>1s", &["\"p100.1\"", "p99.9"]);
        refused(
            "workflow.agv>1s",
            &["\"agv\" is no measure", "did you mean \"avg\""],
        );
        refused("pNaN>1s", &["no measure"]);
        refused(">1s", &["measure is missing"]);
        refused(".avg>1s", &["step is missing", "*.avg"]);
        refused(
            "Workflow.avg>1s",
            &["no step \"Workflow\"", "did you mean \"workflow\""],
        );
        refused("WORKFLWO.avg>1s", &["did you mean \"workflow\""]);
        refused(
            "zzzzzz.avg>1s",
            &["there are \"POST /v1/opscore/internal/agent/notify\", \""],
        );
        for text in ["state.avg>1s", "/v1/opscore/agent/[id]/state.avg>1s"] {
            let post = "\"POST /v1/opscore/agent/[id]/state\"";
            refused(
                text,
                &[
                    "could be any of",
                    post,
                    "\"GET /v1/opscore/agent/[id]/state\"",
                ],
            );
        }
    }

    #[test]
    fn labels_that_would_be_alike_are_shown_in_full() {
        let steps = [("GET", "/a/b/state"), ("GET", "/c/state"), ("GET", "/x")]
            .map(|(method, name)| (method.to_owned(), name.to_owned()));
        assert_eq!(labels(&steps), ["GET /a/b/state", "GET /c/state", "GET /x"]);
    }

    #[test]
    fn no_cut_of_a_rule_makes_the_parser_panic() {
        let text = "POST /v1/opscore/agent/[id]/wörkflow . p99.9 > = 1.5 µs%";
        let cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        for &start in &cuts {
            for &end in cuts.iter().filter(|&&end| end >= start) {
                let _ = Rule::parse(&text[start..end], &steps());
            }
        }
    }
}

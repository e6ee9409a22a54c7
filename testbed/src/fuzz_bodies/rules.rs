//! The parser of rules: a rule that it accepts judges every window and explains its finding, and its text parses to the same
//! rule.

use std::sync::OnceLock;

use opsurge::analysis::criteria::{Purpose, Rule, StepName, Window};
use opsurge::metrics::interval::Interval;

/// Steps as plans may have them: names with the same end, with dots and spaces, and one like the name of a measure.
const PLANS: [&[(&str, &str)]; 3] = [
    &[
        ("POST", "/v1/opscore/internal/agent/notify"),
        ("GET", "/v1/opscore/agent/[id]/state"),
        ("POST", "/v1/opscore/agent/[id]/state"),
        ("GET", "/v1.1/a b"),
        ("GET", "p99"),
    ],
    &[("GET", "/")],
    &[],
];

/// Input: the text of a rule.
pub fn rules(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    static WINDOWS: OnceLock<[Vec<Window>; 3]> = OnceLock::new();
    let windows = WINDOWS.get_or_init(|| PLANS.map(|plan| windows(plan.len())));
    for (plan, windows) in PLANS.iter().zip(windows) {
        let steps: Vec<StepName> = plan.iter().enumerate().map(step).collect();
        for purpose in [Purpose::Stop, Purpose::Fail, Purpose::Require] {
            let rule = match Rule::parse(text, purpose, &steps) {
                Ok(rule) => rule,
                Err(reason) => {
                    assert!(reason.starts_with("rule \""), "{reason}");
                    continue;
                }
            };
            let again = Rule::parse(&rule.text, purpose, &steps);
            assert_eq!(again.as_ref(), Ok(&rule));
            for window in windows {
                check(&rule, window, steps.len());
            }
        }
    }
}

/// A step: number 3 is a poll, and number 0 is no part of the work loop.
fn step((at, (method, name)): (usize, &(&str, &str))) -> StepName {
    StepName {
        method: (*method).to_owned(),
        name: (*name).to_owned(),
        is_work: at > 0,
        is_poll: at == 3,
    }
}

fn check(rule: &Rule, window: &Window, steps: usize) {
    let finding = rule.judge(window);
    assert_eq!(rule.judge(window), finding);
    assert!(finding.value.is_none_or(f64::is_finite), "{finding:?}");
    assert!(finding.value.is_some() || !finding.broken, "{finding:?}");
    assert!(finding.step.is_none_or(|step| step < steps));
    let text = rule.show(&finding);
    assert!(text.contains("limit") && text.contains(" of "), "{text}");
    let nothing = rule.judge_without(window, rule.steps());
    assert!(
        nothing.value.is_none_or(|value| value == 0.0),
        "{nothing:?}"
    );
}

/// Windows without requests, with some of every kind, with too few to judge, with failures only, with open requests only,
/// and with the longest times.
fn windows(steps: usize) -> Vec<Window> {
    let window = |requests: u64, failures: u64, ns: u64, length_ns: u64, open: u64| {
        let mut interval = Interval::new(steps);
        for (nth, step) in interval.steps.iter_mut().enumerate() {
            step.requests = requests + nth as u64;
            step.failures = failures;
            for _ in 0..step.requests {
                step.response.record(ns * (1 + nth as u64));
            }
            for _ in 0..open {
                step.open.record(length_ns);
            }
            (step.polls_ready, step.polls_gave_up) = (requests, failures);
        }
        let mut window = Window::new(steps);
        window.add(&interval, length_ns);
        window
    };
    const SECOND_NS: u64 = 1_000_000_000;
    vec![
        Window::new(steps),
        window(100, 7, 3_000_000, 10 * SECOND_NS, 20),
        window(5, 1, 0, SECOND_NS, 0),
        window(1_000, 1_000, 3_600 * SECOND_NS, 1, 5_000),
        window(0, 0, 0, 10 * SECOND_NS, 40),
        window(20, 0, u64::MAX / 16, u64::MAX / 2, 0),
    ]
}

pub fn examples() -> Vec<Vec<u8>> {
    [
        "avg>2s",
        "errors > 5%",
        "errors>=0.05",
        "*.p99.9 >= 250ms",
        "notify.p95>1s",
        "POST /v1/opscore/agent/[id]/state.avg<1.5m",
        "gave-up>5%",
        "a b.gave-up<=1%",
        "/v1.1/a b.max<=10us",
        "p99.p50>1h",
        "rps<500/s",
        "GET /.rps<10",
        " p100 > 0.25 s ",
    ]
    .map(|text| text.into())
    .to_vec()
}

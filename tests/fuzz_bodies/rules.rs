//! The parser of rules: what it takes judges any window and says so in words, and its text is the same rule again.

use std::sync::OnceLock;

use opsurge::analysis::criteria::{Rule, Window};
use opsurge::metrics::interval::Interval;

/// Steps as a plan may have them: names that share their end, points and spaces in names, one that is like a measure.
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
        let owned = |(method, name): &(&str, &str)| ((*method).to_owned(), (*name).to_owned());
        let steps: Vec<(String, String)> = plan.iter().map(owned).collect();
        let rule = match Rule::parse(text, &steps) {
            Ok(rule) => rule,
            Err(reason) => {
                assert!(reason.starts_with("rule \""), "{reason}");
                continue;
            }
        };
        let again = Rule::parse(&rule.text, &steps);
        assert_eq!(again.as_ref(), Ok(&rule));
        for window in windows {
            let finding = rule.judge(window);
            assert_eq!(rule.judge(window), finding);
            assert!(finding.value.is_none_or(f64::is_finite), "{finding:?}");
            assert!(finding.value.is_some() || !finding.broken, "{finding:?}");
            assert!(finding.step.is_none_or(|step| step < steps.len()));
            let said = rule.show(&finding);
            assert!(said.contains("limit") && said.contains(" of "), "{said}");
        }
    }
}

/// None at all, some of each, too few to judge, all failed, nothing but what is under way, as long as they get.
fn windows(steps: usize) -> Vec<Window> {
    let window = |requests: u64, failures: u64, ns: u64, length_ns: u64, in_flight: u64| {
        let mut interval = Interval::new(steps);
        for (nth, step) in interval.steps.iter_mut().enumerate() {
            step.requests = requests + nth as u64;
            step.failures = failures;
            for _ in 0..step.requests {
                step.response.record(ns * (1 + nth as u64));
            }
        }
        let mut window = Window::new(steps);
        window.add(&interval, length_ns, in_flight);
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
        "/v1.1/a b.max<=10us",
        "p99.p50>1h",
        "rps<500/s",
        "GET /.rps<10",
        " p100 > 0.25 s ",
    ]
    .map(|text| text.into())
    .to_vec()
}

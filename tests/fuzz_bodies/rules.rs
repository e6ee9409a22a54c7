//! The reader of rules: what it takes judges any window, shows what it found, and means the same when it is read again.

use opsurge::analysis::criteria::{OPS_CORE_RULES, Rule, Window};
use opsurge::metrics::interval::Interval;

/// Input: the text of a rule.
pub fn rules(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let steps = [
        ("GET", "/v1/agent/[id]/state"),
        ("POST", "/v1/agent/[id]/state"),
        ("POST", "/a.b/p99.workflow"),
        ("PUT", "*"),
    ];
    let steps = steps.map(|(method, name)| (method.to_owned(), name.to_owned()));
    let rule = match Rule::parse(text, &steps) {
        Ok(rule) => rule,
        Err(reason) => return assert!(reason.contains("; ") || reason.contains("is missing")),
    };
    assert_eq!(Rule::parse(&rule.text, &steps).as_ref(), Ok(&rule));
    let mut busy = Interval::new(steps.len());
    for (index, step) in busy.steps.iter_mut().enumerate().take(3) {
        step.requests = 40 * index as u64;
        step.failures = index as u64;
        for nth in 0..step.requests {
            step.response.record(nth * nth * 1_000_000);
        }
    }
    for (interval, length_ns, in_flight) in [
        (&Interval::new(steps.len()), 0, 0),
        (&Interval::new(steps.len()), 10_000_000_000, 7),
        (&busy, 10_000_000_000, 7),
        (&busy, 1, 1_000),
    ] {
        let mut window = Window::new(steps.len());
        window.add(interval, length_ns, in_flight);
        let finding = rule.judge(&window);
        assert!(!finding.broken || finding.value.is_some());
        assert!(finding.value.is_none_or(f64::is_finite));
        assert!(!rule.show(&finding).is_empty());
    }
}

pub fn examples() -> Vec<Vec<u8>> {
    let more = [
        "workflow.p99.9>1s",
        "GET /v1/agent/[id]/state.avg >= 250ms",
        "p99.workflow.errors<0.01",
        "rps<500/s",
        "max>1.5m",
        "*.p50<=800us",
    ];
    let all = OPS_CORE_RULES.iter().chain(&more);
    all.map(|rule| rule.as_bytes().to_vec()).collect()
}

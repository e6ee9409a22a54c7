use std::sync::Arc;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::live::screen::keys::{Changes, Keys};
use crate::live::screen::state::About;
use crate::metrics::interval::{ArrivalsSoFar, Interval};
use crate::metrics::outcome::{Failure, Failures};

const SIZES: [(u16, u16); 5] = [(40, 10), (60, 15), (80, 24), (120, 40), (200, 60)];
const S: u64 = 1_000_000_000;

const USERS: Changes = Changes {
    is_open: false,
    min: 1.0,
    max: 150.0,
};

fn state(steps: usize) -> State {
    let about = About {
        target: "http://127.0.0.1:8000".into(),
        scenario: "workflow".into(),
        run_time_s: Some(60.0),
        steps: (0..steps)
            .map(|step| format!("POST /v1/opscore/agent/[id]/step-{step}"))
            .collect(),
        kinds: Vec::new(),
        page: Some("http://127.0.0.1:8089/#token=0123456789abcdef0123456789abcdef".into()),
        has_colour: true,
    };
    State::new(about, Ok(USERS))
}

/// A second with requests of each step, `failures` of them failed.
fn tick(state: &State, number: u64, requests: u64, failures: u64) -> Tick {
    let steps = state.about.steps.len();
    let mut second = Interval::new(steps);
    let mut so_far = match state.shown.last() {
        Some(last) => (last.so_far.clone(), last.failures),
        None => (Interval::new(steps).steps, Failures::default()),
    };
    (second.users, second.in_flight, second.oldest_ns) = (50, 7, 4_200_000_000);
    second.judged[Status::Valid] = 1;
    for (index, step) in second.steps.iter_mut().enumerate() {
        (step.requests, step.answers) = (requests, requests);
        (0..requests).for_each(|nth| {
            step.response
                .record((1 + nth) * 1_000_000 * (1 + index as u64));
        });
    }
    if let Some(step) = second.steps.first_mut() {
        step.failures = failures;
    }
    second.failures[Failure::Timeout] = failures;
    for (sum, step) in so_far.0.iter_mut().zip(&second.steps) {
        *sum += step;
    }
    so_far.1 += &second.failures;
    Tick {
        number,
        begin_ns: (number - 1) * S,
        end_ns: number * S,
        load_from_ns: Some(0),
        second,
        so_far: so_far.0,
        failures: so_far.1,
        level: None,
        verdict: Status::Valid,
    }
}

fn run_for(state: &mut State, seconds: u64, failures: impl Fn(u64) -> u64) {
    let before = state.shown.last().map_or(0, |tick| tick.number);
    for number in before + 1..=before + seconds {
        let tick = tick(state, number, 20, failures(number));
        state.on_tick(Arc::new(tick));
    }
}

/// The lines of a frame, without the space at their ends.
fn drawn(state: &State, (columns, lines): (u16, u16)) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(columns, lines)).expect("a terminal");
    terminal.draw(|frame| draw(frame, state)).expect("drawn");
    let buffer = terminal.backend().buffer().clone();
    let row = |y: u16| {
        let cells = (0..columns).map(|x| buffer[(x, y)].symbol().to_owned());
        cells.collect::<String>().trim_end().to_owned()
    };
    (0..lines).map(row).collect()
}

/// Checks that each of these stands whole in one line.
fn check(state: &State, size: (u16, u16), expected: &[&str]) {
    let lines = drawn(state, size);
    for part in expected {
        assert!(
            lines.iter().any(|line| line.contains(part)),
            "{part:?} at {size:?}:\n{}",
            lines.join("\n")
        );
    }
}

#[test]
fn every_size_shows_what_happens_and_how_to_stop() {
    let mut state = state(3);
    run_for(&mut state, 12, |second| u64::from(second % 4 == 0));
    for size in SIZES {
        check(
            &state,
            size,
            &[
                "12 s, 48s left",
                "workflow on",
                "50 users",
                "60.0 req/s",
                "3 failures (0.417 %)",
                "7 open, oldest 4.20 s",
                "last 10 s VALID   so far VALID",
                "q stop",
                "steps, last 10 s",
                "/step-2",
                "20.0",
            ],
        );
    }
    check(&state, (60, 15), &["p50     p95     p99"]);
    // Method and end of a name stay; the last columns give way.
    let narrow = drawn(&state, (40, 10)).join("\n");
    assert!(!narrow.contains("p95"), "{narrow}");
    for size in [(60, 15), (80, 24), (120, 40)] {
        check(&state, size, &["timeout", "last 10 s", "12.0 s", "4.0 s"]);
    }
    for size in [(80, 24), (120, 40)] {
        check(&state, size, &["response  p50", "1.00 failed/s", "p99"]);
        let all = drawn(&state, size).join("\n");
        let is_dot = |c: char| ('\u{2801}'..='\u{28ff}').contains(&c);
        assert!(all.contains(is_dot), "a line is drawn:\n{all}");
    }
}

#[test]
fn kinds_of_users_have_rows_above_the_steps_where_there_is_room() {
    let mut state = state(3);
    state.about.kinds = vec![("browser".into(), 0..1), ("buyer".into(), 1..3)];
    for number in 1..=12 {
        let mut tick = tick(&state, number, 20, 1);
        tick.second.users_by_kind = vec![35, 15];
        state.on_tick(Arc::new(tick));
    }
    for (size, heading, browser, buyer) in [
        (
            (60, 20),
            "kinds, last 10 s            users   req/s     failed     p99",
            "browser                        35    20.0         10 20.0 ms",
            "buyer                          15    40.0          0 60.0 ms",
        ),
        (
            (80, 24),
            "kinds, last 10 s                                users   req/s     failed     p99",
            "browser                                            35    20.0         10 20.0 ms",
            "buyer                                              15    40.0          0 60.0 ms",
        ),
    ] {
        check(
            &state,
            size,
            &[heading, browser, buyer, "steps, last 10 s", "/step-2"],
        );
    }
    check(
        &state,
        (120, 40),
        &["kinds, last 10 s", "steps, last 10 s", "/step-2", "timeout"],
    );
    // Too small for all: the heading and how many are left out, or nothing of it.
    for size in SIZES {
        let lines = drawn(&state, size);
        assert!(
            lines.iter().any(|line| line.starts_with("steps, ")),
            "{size:?}"
        );
        let kinds = lines.iter().position(|line| line.starts_with("kinds, "));
        let is_told = |at: usize| {
            lines[at + 1..]
                .iter()
                .take(2)
                .any(|line| line.starts_with("buyer") || line.contains("more in a taller"))
        };
        assert!(kinds.is_none_or(is_told), "{size:?}:\n{}", lines.join("\n"));
    }
    state.about.kinds.clear();
    let without = drawn(&state, (120, 40)).join("\n");
    assert!(!without.contains("kinds"), "{without}");
}

#[test]
fn nothing_has_happened_and_everything_has_happened() {
    for steps in [0, 1, 3, 25] {
        let mut state = state(steps);
        for size in SIZES
            .into_iter()
            .chain([(1, 1), (20, 4), (3, 50), (300, 5)])
        {
            drawn(&state, size);
        }
        run_for(&mut state, 620, |_| 20);
        for kind in Failure::ALL {
            let mut tick = tick(
                &state,
                state.shown.last().map_or(1, |last| last.number + 1),
                9,
                1,
            );
            tick.failures[kind] = u64::MAX / 64;
            tick.second.arrivals = ArrivalsSoFar {
                waiting: u64::MAX / 4,
                dropped: u64::MAX / 4,
                ..ArrivalsSoFar::default()
            };
            tick.verdict = Status::ConnectionsLimited;
            state.on_tick(Arc::new(tick));
        }
        state.keys.is_long = true;
        for size in SIZES
            .into_iter()
            .chain([(1, 1), (20, 4), (3, 50), (300, 5)])
        {
            drawn(&state, size);
        }
        assert_eq!(state.shown.recent().count(), 60, "memory does not grow");
        assert!(state.shown.whole().count() <= 600, "memory does not grow");
    }
}

#[test]
fn many_steps_say_how_many_are_left_out() {
    let mut state = state(40);
    run_for(&mut state, 3, |_| 0);
    let lines = drawn(&state, (80, 24));
    let last = lines
        .iter()
        .find(|line| line.contains("more in a taller window"));
    let left: usize = last
        .and_then(|line| line.split(' ').nth(1)?.parse().ok())
        .expect("a number");
    let shown = lines.iter().filter(|line| line.contains("/step-")).count();
    assert_eq!(shown + left, 40, "{}", lines.join("\n"));
}

#[test]
fn the_load_that_is_over_is_draining_and_a_search_has_a_level() {
    let mut state = state(2);
    run_for(&mut state, 2, |_| 0);
    let mut next = tick(&state, 3, 1, 0);
    (next.second.is_drain, next.level) = (true, Some(120.0));
    next.verdict = Status::GeneratorLimited;
    state.on_tick(Arc::new(next));
    for size in [(60, 15), (80, 24)] {
        check(
            &state,
            size,
            &["3 s, draining", "level 120", "so far GENERATOR-LIMITED"],
        );
    }
}

#[test]
fn a_paused_display_stands_still_and_catches_up() {
    let mut state = state(2);
    run_for(&mut state, 5, |_| 0);
    state.keys.is_paused = true;
    let before = drawn(&state, (80, 24));
    for number in 6..=30 {
        let tick = tick(&state, number, 20, 0);
        state.on_tick(Arc::new(tick));
    }
    assert_eq!(drawn(&state, (80, 24)), before);
    check(&state, (60, 15), &["display paused"]);
    state.keys.is_paused = false;
    state.catch_up();
    check(&state, (80, 24), &["30 s, 30s left"]);
    assert_eq!(state.shown.whole().count(), 30, "no second is lost");
}

#[test]
fn the_footer_tells_the_number_that_is_typed_the_message_or_the_keys() {
    let mut state = state(1);
    run_for(&mut state, 1, |_| 0);
    check(&state, (80, 24), &["q stop   + - 0-9 users   space pause"]);
    check(&state, (40, 10), &["q stop", "? help"]);
    state.say_change(150.0);
    let expected = "150 users asked for, the most that this run has room for";
    check(&state, (80, 24), &[expected]);
    (0..33).for_each(|_| {
        state.on_frame();
    });
    assert_eq!(state.message(), None, "a message goes away");
    state.keys.typed = Some("12".into());
    check(&state, (60, 15), &["users: 12_   Enter sets, Esc cancels"]);
    state.keys.typed = None;
    state.keys.is_help = true;
    check(
        &state,
        (60, 15),
        &[
            "twice: stop now; a third time: end",
            "that many users: 1 to 150",
            "page         http://127.0.0.1:8089/",
            "#token=0123456789abcdef0123456789abcdef",
            "any key      closes this",
        ],
    );
    state.keys = Keys::new(Err("the search decides the load".into()));
    state.keys.is_help = true;
    check(&state, (80, 24), &["nothing: the search decides the load"]);
    state.keys.is_help = false;
    let all = drawn(&state, (80, 24)).join("\n");
    assert!(!all.contains("+ -"), "{all}");
}

#[test]
fn steps_are_summed_over_ten_seconds_or_since_the_start() {
    let mut state = state(1);
    run_for(&mut state, 10, |_| 0);
    for number in 11..=20 {
        let tick = tick(&state, number, 40, 0);
        state.on_tick(Arc::new(tick));
    }
    let rate = |state: &State| {
        let lines = drawn(state, (80, 24));
        let row = lines.iter().find(|line| line.contains("/step-0"));
        row.and_then(|row| row.split_whitespace().nth(2).map(str::to_owned))
    };
    assert_eq!(rate(&state).as_deref(), Some("40.0"));
    state.keys.span = crate::live::screen::keys::Span::SoFar;
    assert_eq!(rate(&state).as_deref(), Some("30.0"));
}

#[test]
fn without_colours_nothing_is_coloured_and_the_lines_differ() {
    let mut state = state(2);
    state.about.has_colour = false;
    run_for(&mut state, 20, |second| second % 3);
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).expect("a terminal");
    terminal.draw(|frame| draw(frame, &state)).expect("drawn");
    let buffer = terminal.backend().buffer();
    let is_coloured =
        |cell: &ratatui::buffer::Cell| cell.fg != Color::Reset || cell.bg != Color::Reset;
    assert!(!buffer.content.iter().any(is_coloured));
    let symbols: String = buffer.content.iter().map(|cell| cell.symbol()).collect();
    assert!(symbols.contains('•') && symbols.contains('█'), "{symbols}");
}

#[test]
fn long_charts_show_the_whole_run_with_its_slowest_second() {
    let mut state = state(1);
    run_for(&mut state, 1, |_| 0);
    let mut slow = tick(&state, 2, 20, 0);
    slow.second.steps[0].response.record(7_000_000_000);
    state.on_tick(Arc::new(slow));
    run_for(&mut state, 5_000, |second| u64::from(second == 3_000));
    let whole: Vec<_> = state.shown.whole().copied().collect();
    assert!((300..=600).contains(&whole.len()), "{}", whole.len());
    let length_s: f64 = whole.iter().map(|stretch| stretch.length_s).sum();
    assert_eq!(length_s, 5_002.0, "no second is lost");
    let requests: f64 = whole.iter().map(|it| it.per_s * it.length_s).sum();
    assert!((requests - 5_002.0 * 20.0).abs() < 1e-3, "{requests}");
    let failures: f64 = whole.iter().map(|it| it.failures_per_s * it.length_s).sum();
    assert!((failures - 1.0).abs() < 1e-6, "{failures}");
    let slowest = whole[0].percentiles_us.expect("answers")[2];
    assert!(slowest > 6_900_000.0, "{slowest}");
    let ends: Vec<f64> = whole.iter().map(|stretch| stretch.end_s).collect();
    assert!(
        ends.is_sorted() && ends.last() == Some(&5_002.0),
        "{ends:?}"
    );
    state.keys.is_long = true;
    check(&state, (80, 24), &["0 s", "5002 s"]);
    state.keys.is_long = false;
    check(&state, (80, 24), &["4942 s", "5002 s"]);
}

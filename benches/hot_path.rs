//! Nanoseconds of our own per request, by part: `cargo bench`. The kernel's part is in `architecture.md`'s table.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use opsurge::engine::timers::Timers;
use opsurge::http::request::{Cuts, Values};
use opsurge::http::response::{Decoder, Expecting, Keep};
use opsurge::metrics::outcome::Outcome;
use opsurge::metrics::recorder::{Recorder, Times};
use opsurge::plan::builtin;
use opsurge::plan::compile::{Context, compile};
use opsurge::plan::random::{Keyed, Stream};
use opsurge::plan::value::Origin;

/// Ops-Core's answer to a workflow request.
const ANSWER: &[u8] = b"HTTP/1.1 202 Accepted\r\ndate: Mon, 23 Nov 2026 21:03:44 GMT\r\nserver: uvicorn\r\n\
content-length: 130\r\ncontent-type: application/json\r\nx-process-time: 0.0024747848510742188\r\n\r\n\
{\"sessionId\":\"d96aaa22-a187-4972-a633-b41aa48fa1a6\",\"workflowId\":\"sample_workflow_id\",\"message\":\"Workflow triggered successfully\"}";

/// Renders a step's request, the values made for it included.
fn render(criterion: &mut Criterion) {
    for (name, step, what) in [
        ("workflow", 2, "render the workflow request"),
        (
            "mixed",
            1,
            "render a state update (time and choice made anew)",
        ),
        ("mixed", 3, "render an inline workflow"),
    ] {
        let text = builtin(name).expect("it is built in").text;
        let context = Context::plain("localhost:8000");
        let scenario = compile(name, text, &context).expect("it is valid");
        let origin = |stream, text| Origin {
            random: Keyed::new(1),
            user: 0,
            stream,
            text,
            users: 1,
            wall_ns: 1_800_000_000_000_000_000 + text,
            feeder: &scenario.feeder,
        };
        let mut user = vec![0; scenario.variables.stride()];
        scenario
            .variables
            .fill(&origin(Stream::Variable, 0), &mut user);
        let mut fresh = vec![0; scenario.fresh_stride];
        let mut out = vec![0; scenario.rendered_bytes_max()];
        let step = &scenario.steps[step];
        let mut cuts = Cuts::default();
        let mut count = 0;
        criterion.bench_function(what, |bencher| {
            bencher.iter(|| {
                count += 1;
                step.refresh(&origin(Stream::Request, count), &mut fresh);
                let values = Values {
                    user: black_box(&user),
                    fresh: &fresh,
                };
                step.template.render(values, black_box(&mut out), &mut cuts)
            });
        });
    }
}

fn decode(criterion: &mut Criterion) {
    let mut decoder = Decoder::new();
    criterion.bench_function("decode its answer", |bencher| {
        bencher.iter(|| {
            decoder.start(Expecting::Body, Keep::body(256));
            decoder.on_bytes(black_box(ANSWER))
        });
    });
}

fn record(criterion: &mut Criterion) {
    let mut recorder = Recorder::new(3, 0, 0);
    let mut now_ns = 0;
    criterion.bench_function("record its outcome", |bencher| {
        bencher.iter(|| {
            now_ns += 12_345;
            let times = Times {
                intended_ns: now_ns,
                submitted_ns: now_ns + 1_000,
                done_ns: now_ns + 150_000 + now_ns % 70_000,
            };
            recorder.record(
                2,
                Outcome::Success { status: 202 },
                black_box(times),
                130,
                301,
            );
        });
    });
}

fn sleep(criterion: &mut Criterion) {
    let mut timers = Timers::new(100_000);
    let mut now_ns = 0;
    for id in 0..100_000 {
        timers.set(id, u64::from(id) * 450_000);
    }
    criterion.bench_function("set and fire a timer among 100,000", |bencher| {
        bencher.iter(|| {
            let id = loop {
                match timers.pop(now_ns) {
                    Some(id) => break id,
                    None => now_ns = timers.next_ns().expect("all are set"),
                }
            };
            timers.set(id, now_ns + 45_000_000_000);
        });
    });
}

criterion_group!(hot_path, render, decode, record, sleep);
criterion_main!(hot_path);

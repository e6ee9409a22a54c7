//! Nanoseconds of our own per request, by part: `cargo bench`. The kernel's part is in `architecture.md`'s table.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use opsurge::engine::timers::Timers;
use opsurge::http::response::{Decoder, Expecting};
use opsurge::metrics::outcome::Outcome;
use opsurge::metrics::recorder::{Recorder, Times};
use opsurge::plan::builtin;
use opsurge::plan::compile::{Context, compile};
use opsurge::plan::random::Keyed;

/// Ops-Core's answer to a workflow request.
const ANSWER: &[u8] = b"HTTP/1.1 202 Accepted\r\ndate: Mon, 23 Nov 2026 21:03:44 GMT\r\nserver: uvicorn\r\n\
content-length: 130\r\ncontent-type: application/json\r\nx-process-time: 0.0024747848510742188\r\n\r\n\
{\"sessionId\":\"d96aaa22-a187-4972-a633-b41aa48fa1a6\",\"workflowId\":\"sample_workflow_id\",\"message\":\"Workflow triggered successfully\"}";

fn render(criterion: &mut Criterion) {
    let context = Context {
        authority: "localhost:8000",
        base_path: "",
        api_key: None,
        api_key_env: "OPSCORE_API_KEY",
        env: &|_| None,
        headers: &[],
        wait: None,
        pause: None,
    };
    let text = builtin("workflow").expect("it is built in").text;
    let scenario = compile("workflow", text, &context).expect("it is valid");
    let mut values = vec![0; scenario.variables.stride()];
    scenario.variables.fill(0, &Keyed::new(1), &mut values);
    let mut out = vec![0; scenario.request_bytes_max()];
    let template = &scenario.steps[2].template;
    criterion.bench_function("render the workflow request", |bencher| {
        bencher.iter(|| template.render(black_box(&values), black_box(&mut out)));
    });
}

fn decode(criterion: &mut Criterion) {
    let mut decoder = Decoder::new();
    criterion.bench_function("decode its answer", |bencher| {
        bencher.iter(|| {
            decoder.start(Expecting::Body, 256);
            decoder.on_bytes(black_box(ANSWER))
        });
    });
}

fn record(criterion: &mut Criterion) {
    let mut recorder = Recorder::new(3, 0);
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

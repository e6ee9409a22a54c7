//! Nanoseconds per request in the code of opsurge, by part and as a whole: `cargo bench --bench hot_path`, a single part
//! with `cargo bench --bench hot_path -- 'record its outcome'`.
//!
//! The whole is a `Shard` over a driver that answers at once (`testbed/src/canned_driver.rs`), so that the kernel has no part
//! in it. `scripts/measure budget` makes the table of `docs/comparison.md` out of all this. The kernel's part is in
//! `architecture.md`'s table; what the ring itself takes is the last figure here. All is CPU time of the thread, not time
//! on the wall, so that a busy machine says nearly the same as a quiet one.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, criterion_group, criterion_main};
use io_uring::{IoUring, opcode};
use opsurge::engine::Control;
use opsurge::engine::connection::Connection;
use opsurge::engine::pool::Pool;
use opsurge::engine::shard::{Shard, Start};
use opsurge::engine::timers::Timers;
use opsurge::engine::user::{Acting, Action, Answer, Happening, Move, Script, User};
use opsurge::http::buffers::Buffers;
use opsurge::http::request::{Cuts, Values};
use opsurge::http::response::{Decoded, Decoder, Expecting, Keep};
use opsurge::io::clock::Clock;
use opsurge::io::{ConnectionId, Driver, Io, Received};
use opsurge::load::random::{Keyed, Stream};
use opsurge::metrics::outcome::Outcome;
use opsurge::metrics::recorder::{Recorder, Times};
use opsurge::scenario::expect::Reply;
use opsurge::scenario::facts::Facts;
use opsurge::scenario::value::Origin;

use opsurge_testbed::canned_driver::{self, ACCEPTED, CannedDriver, Measures, cpu_time};

/// Users of the whole that the table divides into parts: few enough for everything to be in the caches, as in the parts.
const FEW: u64 = 64;
/// Users of the whole whose data is not in the caches.
const MANY: u64 = 10_000;
/// Wait of each user between two requests of the whole, so that a request's timer is part of it.
const WAIT: &str = "1ms";
/// Least number of requests, or empty turns, that a run measures; rounded up to whole rounds of all users.
const MEASURED_MIN: u64 = 100_000;
/// The head of an answer that is read in several pieces.
const HEAD_OF_64_KIB: &str = "HTTP/1.1 200 OK\r\ncontent-length: 65536\r\n\r\n";
/// Length of a receive buffer.
const PIECE_BYTES: usize = 4_096;

/// Measures the thread's CPU time; criterion's own measurement is wall-clock time.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        cpu_time()
    }
    fn end(&self, since: Duration) -> Duration {
        cpu_time() - since
    }
    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }
    fn zero(&self) -> Duration {
        Duration::ZERO
    }
    fn to_f64(&self, time: &Duration) -> f64 {
        time.as_nanos() as f64
    }
    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn draw(criterion: &mut Criterion<CpuTime>) {
    let random = Keyed::new(7);
    let mut count = 0;
    criterion.bench_function("draw a number", |bencher| {
        bencher.iter(|| {
            count += 1;
            random.draw(black_box(3), Stream::Wait, count)
        });
    });
    criterion.bench_function("draw a uuid", |bencher| {
        bencher.iter(|| {
            count += 1;
            random.uuid(black_box(3), Stream::Request, count)
        });
    });
}

/// Renders a step's request, with the values made for it.
fn render(criterion: &mut Criterion<CpuTime>) {
    for (name, step, what) in [
        ("workflow", 2, "render the workflow request"),
        (
            "mixed",
            1,
            "render a state update (time and choice made anew)",
        ),
        ("mixed", 3, "render an inline workflow"),
    ] {
        let scenario = canned_driver::scenario(name, WAIT);
        let origin = |stream, text| Origin {
            random: Keyed::new(1),
            user: 0,
            stream,
            text,
            iteration: 0,
            users: 1,
            wall_ns: 1_800_000_000_000_000_000 + text,
            feeder: &scenario.feeder,
            values: &[],
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
    let scenario = canned_driver::scenario("mixed", WAIT);
    let mut fresh = vec![0; scenario.fresh_stride];
    let mut count = 0;
    criterion.bench_function("make a state update's time and choice", |bencher| {
        bencher.iter(|| {
            count += 1;
            let origin = Origin {
                random: Keyed::new(1),
                user: 0,
                stream: Stream::Request,
                text: count,
                iteration: 0,
                users: 1,
                wall_ns: 1_800_000_000_000_000_000 + count,
                feeder: &scenario.feeder,
                values: &[],
            };
            scenario.steps[1].refresh(&origin, black_box(&mut fresh));
        });
    });
}

/// Decodes an answer that comes in pieces of this length.
fn decode_pieces(criterion: &mut Criterion<CpuTime>, name: &str, bytes: &[u8], piece_bytes: usize) {
    let mut decoder = Decoder::new();
    let mut buffers = Buffers::new(1, 256);
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| {
            decoder.start(Expecting::Body, Keep::body(256));
            let mut decoded = Decoded::Partial;
            for piece in bytes.chunks(piece_bytes) {
                decoded = decoder.on_bytes(black_box(piece), &mut buffers);
            }
            assert!(matches!(decoded, Decoded::Complete(_)));
            decoder.give_back(&mut buffers);
            decoded
        });
    });
}

fn decode(criterion: &mut Criterion<CpuTime>) {
    decode_pieces(criterion, "decode its answer", ACCEPTED, PIECE_BYTES);
    let text = String::from_utf8_lossy(ACCEPTED).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").expect("it has a body");
    let head = head.replace("content-length: 130", "transfer-encoding: chunked");
    let (first, second) = body.split_at(64);
    let chunked = format!(
        "{head}\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    let name = "decode its answer in two chunks";
    decode_pieces(criterion, name, chunked.as_bytes(), PIECE_BYTES);
    let long = [HEAD_OF_64_KIB.as_bytes(), &[b'x'; 65_536]].concat();
    let name = "decode an answer of 64 KiB in pieces of 4 KiB";
    decode_pieces(criterion, name, &long, PIECE_BYTES);
    let mut chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..64 {
        chunked.extend([b"400\r\n".as_slice(), &[b'x'; 1_024], b"\r\n"].concat());
    }
    chunked.extend(b"0\r\n\r\n");
    let name = "decode an answer of 64 KiB in chunks of 1 KiB";
    decode_pieces(criterion, name, &chunked, PIECE_BYTES);
}

/// A connection's work for a request: it is sent, and its answer comes.
fn connection(criterion: &mut Criterion<CpuTime>) {
    let mut connection = Connection::default();
    let mut buffers = Buffers::new(1, 256);
    connection.on_opening(0);
    let received = Io::Received(Received {
        buffer: 0,
        bytes: ACCEPTED.len() as u32,
    });
    criterion.bench_function("read its answer on a connection", |bencher| {
        bencher.iter(|| {
            connection.on_submitted(1, 700);
            connection.await_answer(Expecting::Body, Keep::body(256));
            let happening = connection.on(received, black_box(ACCEPTED), false, &mut buffers);
            connection.on_taken(true, &mut buffers);
            happening
        });
    });
}

fn pool(criterion: &mut Criterion<CpuTime>) {
    for (name, mut pool) in [
        (
            "take a user's own connection and give it back",
            Pool::per_user(64, 1),
        ),
        (
            "take a shared connection and give it back",
            Pool::shared(64, 1, 64, 1),
        ),
    ] {
        let mut user = 0;
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                user = (user + 1) % 64;
                let slot = pool.acquire(black_box(user), 0).expect("a free connection");
                pool.leave(black_box(slot), user);
                pool.next_for(slot)
            });
        });
    }
}

/// Checks the status and the rules of an answer. The poll of `workflow` has a rule, its workflow request has none.
fn expect(criterion: &mut Criterion<CpuTime>) {
    let scenario = canned_driver::scenario("workflow", WAIT);
    let body = &ACCEPTED[ACCEPTED.len() - 130..];
    for (name, step, status) in [
        ("check what a workflow's answer is", 2, 202),
        ("check what a poll's answer is", 1, 200),
    ] {
        let step = &scenario.steps[step];
        let caches = scenario.caches();
        let facts = Facts::plain(&caches);
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                let reply = Reply {
                    head: &[],
                    body: black_box(body),
                    facts: &facts,
                };
                step.expect.unmet(black_box(status), reply).is_none()
            });
        });
    }
}

/// The recorder's work for a request.
fn record(criterion: &mut Criterion<CpuTime>) {
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
            recorder.on_started(2);
            recorder.on_submitted(2, black_box(700));
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

fn sleep(criterion: &mut Criterion<CpuTime>) {
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
                    None => now_ns = timers.next_ns().expect("a timer is set"),
                }
            };
            timers.set(id, now_ns + 45_000_000_000);
        });
    });
    // As in the whole with few users: all fall asleep, all wake up.
    let mut timers = Timers::new(FEW as usize);
    criterion.bench_function("set and fire a timer among 64", |bencher| {
        bencher.iter_custom(|count| {
            per_few(count, || {
                now_ns += 1_000_000;
                for id in 0..FEW as u32 {
                    timers.set(id, now_ns);
                }
                while let Some(id) = timers.pop(black_box(now_ns)) {
                    black_box(id);
                }
            })
        });
    });
}

/// The time of `count` operations when `round` does [`FEW`] of them.
fn per_few(count: u64, mut round: impl FnMut()) -> Duration {
    let rounds = count.div_ceil(FEW);
    let since = cpu_time();
    for _ in 0..rounds {
        round();
    }
    (cpu_time() - since).mul_f64(count as f64 / (rounds * FEW) as f64)
}

/// Does what a user wants, until it wants to send the next request.
fn to_next_request(acting: &mut Acting<'_>) -> Move {
    let mut happening = Happening::Answered {
        answer: Answer::Success,
        service_ns: 150_000,
        done_ns: acting.user.intended_ns + 151_000,
    };
    loop {
        let next = acting.next(black_box(happening));
        match next.action {
            Action::Send(_) => return next,
            _ => happening = Happening::Woken,
        }
    }
}

fn user(criterion: &mut Criterion<CpuTime>) {
    for name in ["workflow", "mixed"] {
        let scenario = canned_driver::scenario(name, "30s..60s");
        let mut user = User::new(0);
        let mut passes = 0;
        let mut acting = Acting {
            user: &mut user,
            tally: None,
            passes: &mut passes,
            values: &mut [],
            number: 7,
            script: Script {
                scenario: &scenario,
                kind: &scenario.kinds[0],
                random: Keyed::new(1),
                is_open: false,
            },
            passed_over: [0..0, 0..0],
            failed_in: None,
        };
        acting.begin();
        for _ in scenario.start.clone() {
            to_next_request(&mut acting);
        }
        let what = format!("a user's pass of {name}");
        criterion.bench_function(&what, |bencher| {
            bencher.iter(|| to_next_request(&mut acting));
        });
    }
}

fn clock(criterion: &mut Criterion<CpuTime>) {
    let clock = Clock::start();
    criterion.bench_function("read the clock", |bencher| {
        bencher.iter(|| clock.now_ns());
    });
}

/// Runs a shard over the canned driver, and scales the measured time to `count` requests or turns.
fn run_shard(users: u64, count: u64, measure: impl Fn(u64, &Control) -> Measures<'_>) -> Duration {
    let measured = count.max(MEASURED_MIN).next_multiple_of(users);
    let plan = canned_driver::plan(canned_driver::scenario("workflow", WAIT), users, 1);
    let control = Control::default();
    let config = canned_driver::config(&plan, 0);
    let driver = CannedDriver::new(&config, Clock::start()).measuring(measure(measured, &control));
    let shard = Shard::new(&plan, 0, driver);
    let (outcomes, driver) = shard.run(Start::default(), &control, Box::new(|_, _| {}));
    let steps = &outcomes.recorder.counts.steps;
    assert!(
        steps.iter().all(|step| step.failures == 0),
        "no request fails"
    );
    let took = driver.took.expect("a measured time");
    took.mul_f64(count as f64 / measured as f64)
}

/// The whole: nanoseconds per request of a shard, and per turn when there is nothing to do.
fn whole(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("whole");
    group.sample_size(30);
    for (users, name) in [
        (FEW, "a request of one of 64 users"),
        (MANY, "a request of one of 10,000 users"),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| {
                run_shard(users, count, |requests, control| Measures {
                    after: 3 * users + 20_000,
                    requests,
                    empty_turns: 0,
                    control,
                })
            });
        });
    }
    group.bench_function("a turn with nothing in it", |bencher| {
        bencher.iter_custom(|count| {
            run_shard(FEW, count, |empty_turns, control| Measures {
                after: 3 * FEW + 20_000,
                requests: 0,
                empty_turns,
                control,
            })
        });
    });
    group.bench_function("the canned driver's part of a request", |bencher| {
        let plan = canned_driver::plan(canned_driver::scenario("workflow", WAIT), FEW, 1);
        let mut driver = CannedDriver::new(&canned_driver::config(&plan, 0), Clock::start());
        let mut events = Vec::with_capacity(FEW as usize);
        bencher.iter_custom(|count| {
            per_few(count, || {
                for slot in 0..FEW as u32 {
                    black_box(driver.send_buffer());
                    let generation = 1;
                    driver.submit_send(ConnectionId { slot, generation }, 700);
                }
                driver.wait(0, &mut events);
                for event in events.drain(..) {
                    black_box(driver.is_sending(event.connection));
                    if let Io::Received(received) = event.io {
                        black_box(driver.received(received));
                        driver.release(received);
                    }
                }
            })
        });
    });
    group.finish();
}

/// The cost of an operation that does nothing: its entry built and pushed, the batch entered, its completion reaped.
fn ring(criterion: &mut Criterion<CpuTime>) {
    let Ok(mut ring) = IoUring::new(FEW as u32) else {
        println!("SKIPPED: io_uring is not available here");
        return;
    };
    criterion.bench_function("submit and reap a no-op on the ring", |bencher| {
        bencher.iter_custom(|count| {
            per_few(count, || {
                for token in 0..FEW {
                    let entry = opcode::Nop::new().build().user_data(token);
                    #[expect(unsafe_code, reason = "an entry cannot be pushed without")]
                    // SAFETY: a no-op points to nothing.
                    unsafe { ring.submission().push(&entry) }.expect("room for all entries");
                }
                ring.submit_and_wait(FEW as usize)
                    .expect("the ring is entered");
                for completion in ring.completion() {
                    black_box(completion.user_data());
                }
            })
        });
    });
}

criterion_group!(
    name = hot_path;
    config = Criterion::default().with_measurement(CpuTime);
    targets = draw, render, decode, connection, pool, expect, record, sleep, user, clock, whole, ring
);
criterion_main!(hot_path);

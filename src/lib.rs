//! `opsurge`: a load generator for HTTP/1.1 services, made for Ops-Core.
//!
//! # Bird's-eye view
//!
//! One box, one thread per core, io_uring, one small state machine per virtual user, one set of histograms per core,
//! added up when the run ends.
//!
//! ```text
//! Args -> Job -> Session -> (Shards in turns -> Recorder -> Summary) -> Record -> Reports
//!                  |  orders in, through Control: signals, rules, a search  ^
//!                  +--> Tick, once a second -> live displays; interval log; a Locust master
//! ```
//!
//! - **Job**: everything that a command asked for, validated. Nothing below `cli` sees arguments.
//! - **Session**: a job carried out: prepare, run, steer (a search), judge (rules, seconds), record. `run`, `search`,
//!   `calibrate`, `request` and `doctor` are callers of this one room.
//! - **Tick**: one second of all shards, in a cell where the latest wins: a slow reader misses seconds, the run never waits.
//! - **Record**: the one truth after the run. Reports are functions of it alone.
//!
//! Before the run everything is parsed, checked, compiled and sized, and the target is tried once. Then one thread per
//! core builds its own driver, pool, users, timers and recorder, and all start together. A request's life is read from
//! top to bottom in [`engine::shard`], the only place where users, connections, the pool and the recorder meet.
//!
//! # Rooms
//!
//! PURE = no sockets, no clock, no threads, no files: values in, values out.
//!
//! | room | what it is | may use |
//! |---|---|---|
//! | [`cli`] | the command line: clap's structs, `read` (Args -> Job), one file per command | all below |
//! | [`session`] | a job carried out: prepared, run, steered, judged, recorded | all below but `report`, `live` |
//! | `live` | ticks for people: the line of progress, the screen, the page, /metrics | `analysis`, `metrics`, `record`, `report`, `text` |
//! | `worker` | a worker of a Locust master: ticks out as reports, its messages in as orders | `metrics` |
//! | [`report`] PURE | records -> bytes: console, comparison, CSV, HTML | `record`, `metrics`, `text` |
//! | [`engine`] | a plan becomes samples: one thread per core, nothing shared | `scenario`, `load`, `http`, `wire`, `io`, `metrics`, `machine`, `text` |
//! | [`record`] | what a run leaves behind: schema, making, slices, merging, files, interval log | `analysis`, `metrics`, `scenario`, `text` |
//! | [`analysis`] PURE | whether a run is to be believed, whether a window broke a rule, where a server breaks, whether runs differ, what limits a machine | `metrics`, `text` |
//! | [`scenario`] PURE | what users do: the model, and its TOML form | `load`, `http`, `metrics`, `text` |
//! | [`load`] PURE | how much is asked, and when: users, arrivals, what each shard gets | |
//! | [`wire`] PURE | encryption (TLS): a driver above a driver, plain text above, records below; unused by plain HTTP | `io`, `text` |
//! | [`http`] PURE | HTTP/1.1 as bytes: requests rendered, responses decoded | `text` |
//! | [`io`] | the kernel: io_uring and epoll; the only room with `unsafe` | |
//! | [`sim`] | the same driver trait on a virtual clock, with seeded faults; for tests and benches | `io` |
//! | [`metrics`] PURE | outcomes, histograms, intervals, their sum; ticks | |
//! | [`machine`] | what the machine is, allows, and did meanwhile: cores, quotas, clocks, steal, memory | |
//! | [`text`] PURE | numbers, times, suggestions: one way to write each | |
//! | [`mock`] | the embedded Ops-Core stand-in, and a responder with canned answers; shares no code with the client | |
//!
//! `tests/it/house.rs` holds the code to this table, and no file imports another that imports it back.
//!
//! # Invariants
//!
//! - Nothing below `scenario` sees an invalid one. PURE rooms touch no socket, clock, thread or file.
//! - After start-up the hot path does not allocate (`tests/allocation.rs`), lock, format or log. With TLS, rustls
//!   allocates twice a request.
//! - All drivers yield the same happenings for the same bytes; a stale completion never reaches a new connection.
//! - Every request is counted exactly once: `sent = requests + cut_off` at the end, plus `in flight` before.
//! - No latency is ever invented (no back-fill), and none is left out: timeouts, unanswered requests and cut-offs count at
//!   their age.
//! - A run that went wrong never looks well: not in the exit code, the verdict, the rules or the rates.
//! - Every run ends within its time, its drain and two seconds, and leaves a record; a third signal always ends the process.
//! - Metrics are keyed by step, never by URL. Memory does not grow with the length of a run.
//! - Reports are functions of the record alone; the interval log, which must outlive a kill, is the exception.
//! - Secrets never reach a log, an error message, a record or a report.
//! - Everything random is drawn by key from the seed: no shard, driver or order of events moves a draw.
//!
//! `tests/it/survival.rs` holds whole runs to them, drawn from seeds, with faults at every point
//! (`scripts/measure simulate 10000`).
//!
//! # Glossary
//!
//! - **scenario**: what a user does: start steps in order, then tasks drawn by weight, with waits between.
//! - **step**: one request and what is expected of its answer. A *poll* is a step that is repeated until it succeeds.
//! - **plan**: scenario, load, seed and limits: everything a run does, fixed.
//! - **user**: a virtual user; a state machine that is told *happenings* and answers with *actions*.
//! - **shard**: one thread on one core with its users, connections and recorder.
//! - **driver**: the shard's way to the kernel. **turn**: one round of the shard's loop, one batch in and out.
//! - **connection**, **slot**, **generation**: a slot holds one connection after the other; the generation tells them apart.
//! - **batch**: the requests that a connection carries at once, sent together, answered in order: one, or several users'
//!   with `--pipeline`.
//! - **target**: a service with connections of its own: the run's, and those that a scenario names.
//! - **companion**: a seat beside a user's own, for a request that it sends at once with others (`together`).
//! - **iteration**: one pass of a user's work loop, a task with its steps. **closed load**: users begin it when they are
//!   through with their wait. **open load**: it begins at its own time, its **arrival**, whatever the server does.
//! - **level**: a stretch of constant load. **window**: the part of it that is judged, after it has settled.
//! - **rule**: what a window must not show. **search**: the run that goes from level to level until one breaks a rule.
//! - **service**, **response**, **client** time: submitted to answered, due to answered, due to submitted.
//! - **outcome**: how a request ended: success, "not yet" (of a poll), or a kind of failure.
//! - **load time**: from the start, or an open load's first arrival, until nothing more is begun; rates are over it.
//!   **drain**: the wait after it for open requests. **unanswered**: a failure, for want of an answer by its end. **cut off**:
//!   ended without an outcome, by a second signal or a shard's death.
//! - **recorder**: a shard's counts. **interval**: its last second. **summary**: all of them added up.
//! - **finding**: a fact of the machine, what it does to a measurement, and the cure (`opsurge doctor`).
//! - **record**: the JSON file that a run leaves behind. **verdict**: whether the run, or a second, is to be believed, and why.
//!   **cause**: a cause of doubt in a second, with the figure that crossed its threshold.
//! - **calibration**: what a machine can generate of a scenario's requests, kept for later runs. **canned answer**: one made
//!   beforehand from what a step expects.
//! - **repetition**: the same job carried out several times; its record has the **runs** inside, each whole, and their
//!   **spread**: how much a figure differs from run to run.
//! - **effort**: what the shards worked, and waited for their cores, in an interval. **silence**: requests open, no answer.
//!
//! # Reading order
//!
//! `session/job.rs` and `session/run.rs` for the whole, `engine/shard/turns.rs` for the heart, `io/driver.rs` for its floor, then
//! `scenario`, `http`, `metrics`, `record`, `report`.

pub mod analysis;
pub mod cli;
pub mod engine;
pub mod http;
pub mod io;
pub(crate) mod live;
pub mod load;
pub mod machine;
pub mod metrics;
pub mod mock;
pub mod record;
pub mod report;
pub mod scenario;
pub mod session;
pub mod sim;
pub mod text;
pub mod wire;
#[cfg(feature = "locust")]
pub(crate) mod worker;

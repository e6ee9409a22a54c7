//! The command line as clap reads it; `read` validates it.

use std::path::PathBuf;

use clap::{Arg, Args, Parser, Subcommand, ValueEnum};

/// A load generator for HTTP/1.1 services, made for Ops-Core.
#[derive(Debug, Parser)]
#[command(
    name = "opsurge",
    version,
    long_version = super::version::LONG,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Topics: opsurge help verdict, opsurge help exit-codes, opsurge help rules"
)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

const RUN_EXAMPLES: &str = "Examples:
  opsurge run --mock --users 50 --wait 0 --pause 0 -t 10s
  opsurge run --headless --users 50 --spawn-rate 10 -t 18m --host http://localhost:8000
  opsurge run mixed --stage 10:0s --stage 500:5m --stage 500:15m --stop-when 'errors>5%' --host ...
  opsurge run --get http://localhost:8000/health --rate 5000 -t 1m --fail-if 'p99>5ms'";

const DOCTOR_EXAMPLES: &str = "Examples:
  opsurge doctor
  opsurge doctor --connections 20000 --host http://localhost:8000
  opsurge doctor --json | jq '.findings[] | select(.state == \"limits\")'";

const SEARCH_EXAMPLES: &str = "Examples:
  opsurge search stress --host http://localhost:8000
  opsurge search --rate --from 100 --grow 2x --resolution 2% --every 1m --host http://localhost:8000";

const CALIBRATE_EXAMPLES: &str = "Examples:
  opsurge calibrate
  opsurge calibrate shop.toml -u 500 --shards 2
  opsurge calibrate --get http://localhost:8000/health --connections 64 -t 10s";

const REPORT_EXAMPLES: &str = "Examples:
  opsurge report run.json --report full
  opsurge report run.json --csv run
  opsurge report run.json --html run.html
  opsurge report before.json after.json --html both.html";

const COMPARE_EXAMPLES: &str = "Examples:
  opsurge compare base.json new.json
  opsurge compare base.json new.json --tolerance 10%
  opsurge compare a1.json,a2.json,a3.json b1.json,b2.json,b3.json
  opsurge compare --run http://localhost:8000 http://localhost:8001 -u 50 -t 30s --json-base old.json";

const MERGE_EXAMPLES: &str = "Examples:
  opsurge merge part1.json part2.json part3.json part4.json -o whole.json
  opsurge merge part*.json -o - | jq .totals.rps";

const COMPLETIONS_EXAMPLES: &str = "Examples:
  source <(opsurge completions bash)
  opsurge completions fish > ~/.config/fish/completions/opsurge.fish";

const MAN_EXAMPLES: &str = "Examples:
  opsurge man ~/.local/share/man/man1
  opsurge man man && man -l man/opsurge-run.1";

const WORKER_EXAMPLES: &str = "Examples:
  opsurge worker --master-host 10.0.0.5
  opsurge worker mixed --master-host locust-master --master-port 5557 --json worker.json
  opsurge worker --class Agent=workflow --class Operator=mixed --master-host 10.0.0.5";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a scenario against a service and report what it did
    #[command(after_long_help = RUN_EXAMPLES)]
    Run(Box<RunArgs>),
    /// Find the load at which a service breaks, and the rate that it sustains
    ///
    /// One run goes from level to level: ramp, --settle, then a window of --every that is judged by itself. Levels are
    /// users, or with --rate iterations per second. They grow while they are good; what is bad or in doubt is measured
    /// again, two of three decide. A level is bad when a rule of --stop-when is broken (default: the scenario's own, or any
    /// step's average above 2 s, or more than 5 % failures), when response times grow throughout its window (its last third
    /// 1.5 times its first), and with --rate also when iterations pile up.
    ///
    /// The sustained rate is given with its 95 % interval, and as a lower bound (>=) when no level was bad. --resume takes
    /// levels of the same search only: same target, rules, windows, waits, connections and timeout.
    ///
    /// Flags of run mean the same, but for these: -u and --to bound the levels or, with --rate, the users; -t ends the search;
    /// -r is the ramp between levels (default: 100 users per second). Exit code 0: it was found, or the highest level held; 1: no level held, or it
    /// ended too early, too few requests came to judge it, or a step failed every time from its first request on. Failed
    /// requests by themselves do not change it.
    #[command(after_long_help = SEARCH_EXAMPLES)]
    Search(Box<SearchArgs>),
    /// Measure what this machine can generate for a scenario, against canned answers
    ///
    /// The same requests, shards and connections as in a run, without waits and pauses, against a responder on cores of its
    /// own that answers each step with what it expects: status, fields, JSON values to extract; polls are ready at once.
    /// Nothing is sent anywhere else: --host is not contacted. Flags of load and engine may stay as in a run; rules and
    /// outputs are refused.
    ///
    /// CEILING: requests per second with the 95 % interval, per core, and CPU time per request; "at least" when the generator
    /// had time left. FLOOR: service times of one request at a time. That the generator was the limit is what is wanted here.
    ///
    /// The result is kept in $XDG_CACHE_HOME/opsurge/calibration (~/.cache), by machine, version, requests, connections and
    /// shards. Later reports of such a run say how many times its rate this machine can generate. -t is the length of the
    /// measurement of the ceiling (default: 5s). Exit code 0: measured; 2: a step expects what no canned answer has; 3: a
    /// request failed, or the result could not be kept.
    #[command(after_long_help = CALIBRATE_EXAMPLES)]
    Calibrate(Box<CalibrateArgs>),
    /// Send one request and show what came back
    Request(RequestArgs),
    /// Serve the embedded Ops-Core stand-in, in the foreground
    Mock(MockArgs),
    /// Print the report of a run again, from the record that --json wrote
    #[command(after_long_help = REPORT_EXAMPLES)]
    Report(ReportArgs),
    /// Tell what differs between two runs, and whether by more than the noise
    ///
    /// For all requests and for each step: requests per second, share of failures, mean, p50, p95 and p99 of the response
    /// times (failures included) of base and new, the difference with its 95 % interval, and a word: faster, slower, no
    /// difference seen (0 lies within the interval), or not enough data (the runs do not bound the difference).
    ///
    /// One run each is compared by the intervals of its figures, which do not contain the spread from run to run. Three
    /// runs or more each, inside a record of run --repeat or in records with commas between, are compared by that spread
    /// (Welch's t). Of 20 figures that did not change, one may be called different.
    ///
    /// --run makes the runs itself: the same job and seed against two hosts in turns, so that drift meanwhile affects
    /// both. Each host is tried before each of its runs. A signal ends the run that is under way and starts no further one;
    /// what was measured is compared, as far as it can be.
    ///
    /// Exit code 4: a figure is worse by more than --tolerance, and 0 lies outside its interval. 2: a file is not a record,
    /// or the records do not go together. With --run also those of run: of several the first of 130, 3, 4, 5, 1.
    #[command(after_long_help = COMPARE_EXAMPLES)]
    Compare(Box<CompareArgs>),
    /// Join the records of several machines or parts to one
    ///
    /// Exact: requests, failures and histograms are added, second by second, and percentiles with their intervals come from
    /// the sums. Rates are over the time in which any part had its load; the report says from when to when all of them had.
    /// A part that began or ended more than 1 s apart from the others, or is missing, is a finding of the verdict.
    ///
    /// Seconds are joined by the wall clocks of the machines. Where these may be wrong by more than 0.5 s, or are not
    /// synchronised, they are joined by the common start (see --start-at of run), and a note says so. Refused are records
    /// of different scenarios, steps or kinds of load, of the same run or part twice, and of searches.
    #[command(after_long_help = MERGE_EXAMPLES)]
    Merge(MergeArgs),
    /// Be a worker of a Locust master (2.x): it says how many users there are, and shows what they measure
    ///
    /// The master needs a locustfile with at least one user class, whose name is all that this worker takes from it: class
    /// Opsurge(User) with an empty task is enough. Users of all classes carry out SCENARIO, or each class the scenario that
    /// --class names. Workers in Python may run beside this one. One process counts as one worker, whatever its cores.
    ///
    /// The master gives users, their ramp, the host (else --host), the stop timeout and the end; flags of run that say the
    /// same are refused. Response times reach it in fractions of a millisecond, within 1 %; the record of each test
    /// (--json worker.json: worker-1.json, worker-2.json) has them to three digits, and `opsurge merge` joins the records of
    /// all workers to exact percentiles.
    ///
    /// A connection that is lost is made again, for five minutes; users go on meanwhile, for one. There is no password: who
    /// reaches the master's port takes part.
    ///
    /// It ends when the master says so, with the gravest exit code of its tests, or after a signal (130) or five minutes
    /// without a master (3).
    #[command(after_long_help = WORKER_EXAMPLES)]
    Worker(Box<WorkerArgs>),
    /// List the built-in scenarios, show one, check a file
    Scenarios(ScenariosArgs),
    /// Find what on this machine limits or distorts a run, with the cure for each
    ///
    /// A finding has three parts: a state with the fact, what it does to a measurement, the cure. States: ok (it does not
    /// affect the run), note (it may affect figures or how they are read), limits (it bounds the run or distorts its
    /// figures). Looked at: cores, CPU quota, frequency governor, clock, timer slack, how late sleeps end (measured for
    /// 0.2 s), wall clock, io_uring, locked memory, descriptors, memory, local ports, listen backlog, with --host the path
    /// to it, proxy variables.
    ///
    /// No request is sent. Exit code 0 whatever it finds; 3 when it could not be carried out. The same
    /// checks, without the sleeps, run silently before each run; what limits it is printed as a note.
    #[command(after_long_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Print a script that completes commands and flags in a shell
    ///
    /// The packages install it. By hand, for the current user: bash reads ~/.local/share/bash-completion/completions/opsurge,
    /// fish reads ~/.config/fish/completions/opsurge.fish, zsh reads the file _opsurge in any folder of $fpath.
    #[command(after_long_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Write the manual pages, one for each command, into a folder
    #[command(after_long_help = MAN_EXAMPLES)]
    Man(ManArgs),
}

/// `opsurge run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Scenario to run: a built-in name or number, a file ending in .toml, or the URL of one request [default: workflow]
    #[arg(value_name = "SCENARIO")]
    pub scenario: Option<String>,
    /// The same as a flag
    #[arg(
        long = "scenario",
        value_name = "NAME|FILE.toml",
        conflicts_with = "scenario"
    )]
    pub scenario_flag: Option<String>,

    /// Instead of a scenario: GET this URL again and again, e.g. --get http://localhost:8000/health
    #[arg(
        long,
        value_name = "URL",
        conflicts_with_all = ["scenario", "scenario_flag", "url", "method", "body"],
        help_heading = "One URL"
    )]
    pub get: Option<String>,
    /// The same with another method or a body
    #[arg(
        long,
        value_name = "URL",
        conflicts_with_all = ["scenario", "scenario_flag"],
        help_heading = "One URL"
    )]
    pub url: Option<String>,
    /// Method for --url [default: GET, or POST with a body]
    #[arg(
        short = 'X',
        long,
        value_name = "METHOD",
        requires = "url",
        help_heading = "One URL"
    )]
    pub method: Option<String>,
    /// Body for --url: text, or @FILE; {{uuid}}, {{random 1..9}} and such are filled in
    #[arg(
        long,
        value_name = "TEXT|@FILE",
        requires = "url",
        help_heading = "One URL"
    )]
    pub body: Option<String>,

    /// File with defaults of flags, e.g. --config load.toml with users = 50 and host = "http://localhost:8000"
    /// [default: opsurge.toml in the working folder, if it is there]
    ///
    /// Keys are long names of flags. Before the file count environment variables such as OPSURGE_USERS and
    /// OPSURGE_RUN_TIME (and LOCUST_HOST, LOCUST_USERS, LOCUST_SPAWN_RATE, LOCUST_RUN_TIME, LOCUST_HEADLESS), before these
    /// the command line. What came from where is printed at the start.
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<String>,

    /// Service under test, e.g. http://localhost:8000
    #[arg(short = 'H', long, value_name = "URL", help_heading = "Target")]
    pub host: Option<String>,
    /// Start the embedded stand-in in this process, on cores of its own where there are enough
    #[arg(long, conflicts_with = "host", help_heading = "Target")]
    pub mock: bool,
    /// URL of a further target of the scenario, instead of the one that its table `targets` gives it, e.g. --target
    /// login=http://localhost:9000; may be repeated [default: the URLs of the scenario]
    #[arg(long = "target", value_name = "NAME=URL", help_heading = "Target")]
    pub targets: Vec<String>,
    /// Flags of the stand-in.
    #[command(flatten)]
    pub stand_in: StandInArgs,
    /// Watch this beside the generator, each second: CPU, memory, threads, descriptors, e.g. --watch ops-core=port:8000
    /// --watch redis://localhost:6379; may be repeated [default: what listens on the target's port of this machine]
    ///
    /// [NAME=]WHAT is the id of a process, port:N (the processes that listen there), the name of processes, cgroup:PATH, or
    /// redis://HOST:PORT, also with USER:PASSWORD@ and /DATABASE, which is asked for INFO. Processes behind one name are summed, their
    /// children included. The target's port is watched beside what is named; 'none' leaves it out, and alone the generator too.
    #[arg(long, value_name = "[NAME=]WHAT", help_heading = "Target")]
    pub watch: Vec<String>,
    /// Environment variable that holds the API key, e.g. --api-key-env STAGING_KEY
    #[arg(
        long,
        value_name = "NAME",
        default_value = "OPSCORE_API_KEY",
        help_heading = "Target"
    )]
    pub api_key_env: String,
    /// Header for every request but those of steps that drop its name (drop_headers), e.g. --header 'X-Team: load'; may be
    /// repeated, with one name too. {{holes}} are filled; Host names a virtual host; 'Connection: close' means a connection for each request
    #[arg(long = "header", value_name = "NAME: VALUE", help_heading = "Target")]
    pub headers: Vec<String>,
    /// Flags of the sockets.
    #[command(flatten)]
    pub sockets: SocketArgs,
    /// Flags of TLS.
    #[command(flatten)]
    pub tls: TlsArgs,

    /// Users at most, e.g. -u 50 [default: the scenario's]
    #[arg(
        short,
        long,
        value_name = "N",
        help_heading = "Load",
        allow_hyphen_values = true
    )]
    pub users: Option<String>,
    /// Users started per second, e.g. -r 10 [default: all of -u within the first second]
    #[arg(
        short = 'r',
        long,
        value_name = "N",
        help_heading = "Load",
        allow_hyphen_values = true
    )]
    pub spawn_rate: Option<String>,
    /// Number of users along a line through points, instead of -u and -r, e.g. --stage 10:0s --stage 500:5m --stage 500:15m;
    /// with --rate, iterations per second along a line
    #[arg(long = "stage", value_name = "LEVEL:TIME", help_heading = "Load")]
    pub stages: Vec<String>,
    /// Iterations started per second in all, however slow the server is (an open load), e.g. --rate 500; -u then bounds the
    /// users that carry them out
    #[arg(
        long,
        value_name = "N",
        num_args = 0..=1,
        default_missing_value = "",
        help_heading = "Load",
        allow_negative_numbers = true
    )]
    pub rate: Option<String>,
    /// Spacing of the iterations of --rate: equal distances, or random as from many independent users
    #[arg(long, value_enum, default_value_t, help_heading = "Load")]
    pub arrivals: ArrivalsChoice,
    /// Stop after this time, e.g. 30s, 18m, 1h30m; a bare number is seconds [default: the scenario's]
    #[arg(
        short = 't',
        long,
        value_name = "TIME",
        help_heading = "Load",
        allow_hyphen_values = true
    )]
    pub run_time: Option<String>,
    /// Stop after this many iterations of the work loop, all users together
    #[arg(
        long,
        value_name = "N",
        help_heading = "Load",
        allow_hyphen_values = true
    )]
    pub iterations: Option<String>,
    /// Carry out the run N times, one after the other, and report all of them together with their spread from run to run,
    /// e.g. --repeat 5 [2 to 100]
    ///
    /// Each run begins afresh: the target is tried again, connections are opened again, all with the same seed. The record
    /// (--json) has the runs inside, each whole, and `opsurge compare` takes it as so many runs.
    #[arg(
        long,
        value_name = "N",
        help_heading = "Load",
        allow_hyphen_values = true
    )]
    pub repeat: Option<String>,
    /// Pause between two runs of --repeat, in which sockets and server settle, e.g. 30s or 0 [default: 5s]
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "Load",
        allow_hyphen_values = true
    )]
    pub repeat_pause: Option<String>,
    /// Wait between tasks instead of the scenario's: 30s..60s, 0, "exponential 2s", "pacing 10s"
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "Load",
        allow_hyphen_values = true
    )]
    pub wait: Option<String>,
    /// Pause after steps that have one, instead of the scenario's, e.g. 1s or 0
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "Load",
        allow_hyphen_values = true
    )]
    pub pause: Option<String>,
    /// Seed of everything random; the same seed repeats a run [default: drawn, and printed]
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub seed: Option<u64>,
    /// Make only part I of the load, of N that together are the whole, e.g. --part 2/4; env: I and N as the launcher says
    /// [default: the whole load]
    ///
    /// Users, rate, iterations, connections and rows of the feeder are given for all parts and shared out exactly: N
    /// processes with the same flags and --seed do what one would have done. `opsurge merge` joins their records. With env,
    /// I and N come from OPSURGE_PART (I/N), JOB_COMPLETION_INDEX and OPSURGE_PARTS (Kubernetes), SLURM_PROCID and
    /// SLURM_NTASKS, OMPI_COMM_WORLD_RANK and _SIZE, PMI_RANK and PMI_SIZE, or RANK and WORLD_SIZE.
    #[arg(long, value_name = "I/N|env", help_heading = "Load")]
    pub part: Option<String>,
    /// Start at this moment of the wall clock, prepared before: 2026-11-26T18:00:00Z, a time of day in UTC as 18:00:00, or
    /// +30s from now; one that has passed starts at once and says how late [default: when prepared]
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "Load",
        allow_hyphen_values = true
    )]
    pub start_at: Option<String>,

    /// End the run as soon as a window breaks this rule, e.g. --stop-when 'avg>2s' --stop-when 'workflow.errors>5%'
    ///
    /// A rule is [STEP.]MEASURE OP VALUE and says what is bad. Measures: avg, p50 ... p99.99, max (times), rps, errors (share
    /// of requests that failed), gave-up (share of polls that gave up). Without STEP it judges the steps of the work loop
    /// together, with * each of them by itself ('*.p99>1s'), with any unambiguous part of a step's name that step. Start and
    /// stop steps are judged only by their own name; --fail-if and --require then look at the whole run. < is for rps alone.
    /// 'task:order.p95>10s' judges a task as a whole (times, errors), 'kind:buyer.errors>1%' the tasks of a kind of user.
    ///
    /// Open requests count in times at their age, as a lower bound. A window with fewer than 10 requests is not judged. Ending
    /// the run is not a failure: the exit code is decided by the requests until then; add --fail-if to fail.
    #[arg(long, value_name = "RULE", help_heading = "Rules")]
    pub stop_when: Vec<String>,
    /// End the run as soon as this figure is known so well, e.g. --until 'p99 within 5%' -t 30m; of several goals, all
    ///
    /// A goal is [STEP.]MEASURE within SHARE: the 95 % interval of the measure reaches no further than SHARE of its value to
    /// either side. Measures: p50 ... p99.9, avg (or mean), rps. STEP is as in a rule; without it, the steps of the work loop
    /// count together. The run is looked at after 20 s of load, and then each time it has lasted 1.25 times as long; a
    /// percentile needs 30 effective samples beyond it. -t is the upper bound and has to be given. A goal that is not reached
    /// by then is no failure: the report says how well the figure is known, and how long a run would take.
    #[arg(long, value_name = "GOAL", help_heading = "Rules")]
    pub until: Vec<String>,
    /// Fail (exit code 4) when a level of the load, judged as a whole, breaks this rule, e.g. --fail-if 'p99>250ms'
    #[arg(long, value_name = "RULE", help_heading = "Rules")]
    pub fail_if: Vec<String>,
    /// Fail (exit code 4) unless this holds in each level of the load, taken as a whole, e.g. --require 'p95<200ms' or
    /// --require 'rps>=500'
    ///
    /// A rule that no level had enough requests to judge counts as broken.
    #[arg(long, value_name = "RULE", help_heading = "Rules")]
    pub require: Vec<String>,
    /// Fail (exit code 5) when the verdict of the run is not VALID
    #[arg(long, help_heading = "Rules")]
    pub require_valid: bool,
    /// Length of the consecutive windows that --stop-when judges
    #[arg(
        long,
        value_name = "TIME",
        default_value = "10s",
        help_heading = "Rules"
    )]
    pub window: String,
    /// Settling time, e.g. --settle 30s, or --settle auto to have it found [default for rules: 5s, or a quarter of what the
    /// load stays; all else: 0]
    ///
    /// No figure of a run, no rule and no --until is of the load before it; rules ignore as much after every change of the
    /// load. auto finds it by the warm-up rule when the run has ended (rules then keep their default). The record keeps the
    /// whole series and says what was left out. In a search it is the time from a level's ramp to its window.
    #[arg(long, value_name = "TIME", help_heading = "Rules")]
    pub settle: Option<String>,

    /// Connections in all, shared by the users, or one per user [default: per-user; with --pipeline, as many as it takes
    /// for all users' requests to be under way at once]
    #[arg(long, value_name = "N|per-user", help_heading = "Engine")]
    pub connections: Option<String>,
    /// Requests of up to N users on one connection, sent together and answered in order, e.g. --pipeline 8; POST too,
    /// though RFC 9112 advises against it, for what ends a connection fails all that is on it, and only idempotent
    /// requests are sent again
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        help_heading = "Engine",
        allow_hyphen_values = true
    )]
    pub pipeline: String,
    /// A connection for each request, which says 'Connection: close': what opening connections costs
    #[arg(long, conflicts_with = "connection_lifetime", help_heading = "Engine")]
    pub new_connections: bool,
    /// Replace a connection after so many answers, or by the first answer after this time, as load balancers and rotating
    /// clients do, e.g. --connection-lifetime 100 or --connection-lifetime 30s; in plain text its port stays in TIME_WAIT
    #[arg(long, value_name = "N|TIME", help_heading = "Engine")]
    pub connection_lifetime: Option<String>,
    /// Threads, one per core [default: the allowed cores within the CPU quota, less the stand-in's]
    #[arg(
        long,
        value_name = "N",
        help_heading = "Engine",
        allow_hyphen_values = true
    )]
    pub shards: Option<String>,
    /// Kernel interface
    #[arg(long, value_enum, default_value_t, help_heading = "Engine")]
    pub io: IoChoice,
    /// Sleep until an iteration of --rate is due instead of polling the clock for the last 60 us: starts about 50 us later,
    /// and leaves the core to others on a shared machine
    #[arg(long, help_heading = "Engine")]
    pub no_spin: bool,
    /// Time limit of a request, from the moment the user wants to send it to the last byte
    #[arg(
        long,
        value_name = "TIME",
        default_value = "30s",
        help_heading = "Engine"
    )]
    pub timeout: String,
    /// Time limit of the drain: the wait for requests that are open when the load ends; those without an answer then fail
    /// (unanswered) [default: 5s, or three times the slowest answer if that is longer; at most --timeout]
    #[arg(long, value_name = "TIME", help_heading = "Engine")]
    pub drain: Option<String>,

    /// Write the record (JSON), from which every report can be made again
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub json: Option<PathBuf>,
    /// Write the report as one HTML file with charts and the record inside; it needs no network, e.g. --html run.html
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub html: Option<PathBuf>,
    /// Write Locust's four CSV files: PREFIX_stats.csv, _stats_history, _failures, _exceptions
    #[arg(long, value_name = "PREFIX", help_heading = "Results")]
    pub csv: Option<PathBuf>,
    /// One row per step and second in PREFIX_stats_history.csv, not only the aggregate
    #[arg(long, requires = "csv", help_heading = "Results")]
    pub csv_full_history: bool,
    /// Write an HdrHistogram interval log during the run: response times of each second and step, readable up to its last
    /// full line even after a crash, e.g. --hdr run.hlog
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub hdr: Option<PathBuf>,
    /// Flags of what other programs read.
    #[command(flatten)]
    pub ci: CiArgs,
    /// Nothing is shown while the run lasts
    #[arg(long, help_heading = "Results")]
    pub headless: bool,
    /// What is shown while the run lasts, e.g. --live line [default: the screen on a terminal, else a line every 10 s]
    #[arg(
        long,
        value_name = "FORM",
        value_enum,
        conflicts_with = "headless",
        help_heading = "Results"
    )]
    pub live: Option<LiveForm>,
    /// Flags of the live page.
    #[command(flatten)]
    pub web: WebArgs,
    /// Length of the printed report; it is as wide as the terminal or $COLUMNS, e.g. --report full
    #[arg(
        long,
        value_name = "FORM",
        value_enum,
        default_value_t,
        help_heading = "Results"
    )]
    pub report: ReportForm,
    /// Print only verdict, failures and errors
    #[arg(short, long, help_heading = "Results")]
    pub quiet: bool,
    /// Flags of diagnostics.
    #[command(flatten)]
    pub log: LogArgs,
    /// Exit code when requests failed, as in Locust; a broken rule keeps its own
    #[arg(
        long,
        value_name = "CODE",
        default_value_t = 1,
        help_heading = "Results"
    )]
    pub exit_code_on_error: u8,
}

/// The live page.
#[derive(Clone, Debug, Args)]
pub struct WebArgs {
    /// Serve the run as a page while it lasts: charts at /, /record.json, and /metrics for Prometheus; a port alone is this
    /// machine's, e.g. --web 8089, or --web 0.0.0.0:8089 for everyone in the network [default: none]
    #[arg(long, value_name = "ADDR", help_heading = "Results")]
    pub web: Option<String>,
    /// Let the page change users or rate and end the load; the printed address has the token that orders need
    #[arg(long, requires = "web", help_heading = "Results")]
    pub web_control: bool,
    /// How long the page and the last metrics are served after the run, e.g. --web-linger 0 [default: 30s]
    #[arg(long, value_name = "TIME", requires = "web", help_heading = "Results")]
    pub web_linger: Option<String>,
}

/// `opsurge search`.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// First level: users, or iterations per second with --rate [default: the scenario's, or 10 users, 100 per second]
    #[arg(long, value_name = "LEVEL", help_heading = "Search")]
    pub from: Option<String>,
    /// From one level to the next, e.g. --step 50 [default: the scenario's]
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "grow",
        help_heading = "Search"
    )]
    pub step: Option<String>,
    /// The same as a factor; the gap between the last good and the first bad level is then halved until it is as small
    /// as --resolution [default: 1.5x, without --step]
    #[arg(long, value_name = "FACTOR", help_heading = "Search")]
    pub grow: Option<String>,
    /// Highest level [default: 1,000 times the first, and what this machine allows]
    #[arg(long, value_name = "LEVEL", help_heading = "Search")]
    pub to: Option<String>,
    /// How near the last good and the first bad level must come, e.g. 5% [default with --grow: 5%; with --step: one step]
    #[arg(long, value_name = "SHARE", help_heading = "Search")]
    pub resolution: Option<String>,
    /// Length of the window in which a level is judged [default: the scenario's, or 15s]
    #[arg(long, value_name = "TIME", help_heading = "Search")]
    pub every: Option<String>,
    /// Go on with an interrupted search: its levels are not measured again
    #[arg(long, value_name = "RECORD", help_heading = "Search")]
    pub resume: Option<PathBuf>,
    /// The flags of `run`; -u bounds the users, -t ends the search, --stop-when says what is too much
    /// [default: any step's average above 2 s, or more than 5 % errors].
    #[command(flatten)]
    pub run: RunArgs,
}

/// `opsurge calibrate`.
#[derive(Debug, Args)]
pub struct CalibrateArgs {
    /// The flags of `run`; waits and target have no use here, rules and outputs are refused.
    #[command(flatten)]
    pub run: RunArgs,
}

/// `opsurge worker`.
#[derive(Debug, Args)]
pub struct WorkerArgs {
    /// Host of the Locust master, e.g. --master-host 10.0.0.5
    #[arg(
        long,
        value_name = "HOST",
        default_value = "127.0.0.1",
        help_heading = "Master"
    )]
    pub master_host: String,
    /// Port that the master binds for its workers (its --master-bind-port)
    #[arg(
        long,
        value_name = "PORT",
        default_value = "5557",
        help_heading = "Master"
    )]
    pub master_port: String,
    /// Scenario for the users of a class of the master's file, e.g. --class Agent=workflow --class Operator=ops.toml; may be
    /// repeated. Users of other classes are not started then [default: all classes carry out SCENARIO]
    #[arg(
        long = "class",
        value_name = "CLASS=SCENARIO",
        conflicts_with_all = ["scenario", "scenario_flag", "get", "url"],
        help_heading = "Master"
    )]
    pub classes: Vec<String>,
    /// The flags of `run`; -u bounds the users of this worker [default: twice those of the whole test, at least 1,000].
    #[command(flatten)]
    pub run: RunArgs,
}

/// `opsurge request`.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// Where to send it, e.g. http://localhost:8000/health
    #[arg(value_name = "URL")]
    pub url: String,
    /// Method [default: GET, or POST with a body]
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub method: Option<String>,
    /// Header, e.g. --header 'Accept: text/plain'; may be repeated, with one name too. {{holes}} are filled as in run
    #[arg(long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// Body: text, or @FILE
    #[arg(long, value_name = "TEXT|@FILE")]
    pub body: Option<String>,
    /// Time limit from the connect to the last byte
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub timeout: String,
    /// Kernel interface
    #[arg(long, value_enum, default_value_t)]
    pub io: IoChoice,
    /// Flags of the socket.
    #[command(flatten)]
    pub sockets: SocketArgs,
    /// Flags of TLS.
    #[command(flatten)]
    pub tls: TlsArgs,
    /// Print one JSON object instead: outcome, status, body_bytes, interim, reusable, elapsed_us, detail
    #[arg(long)]
    pub json: bool,
    /// Flags of diagnostics.
    #[command(flatten)]
    pub log: LogArgs,
}

/// `opsurge mock`.
#[derive(Debug, Args)]
pub struct MockArgs {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    pub listen: String,
    /// Listen on a Unix socket instead: a path, or @NAME for an abstract name; a socket that a dead server left behind
    /// makes way
    #[arg(long, value_name = "PATH|@NAME", conflicts_with = "listen")]
    pub unix_socket: Option<String>,
    /// Threads, one per core [default: the allowed cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Environment variable that holds the key to be demanded [its default value: test-api-key]
    #[arg(long, value_name = "NAME", default_value = "OPSCORE_API_KEY")]
    pub api_key_env: String,
    /// End by itself after this time
    #[arg(short = 't', long, value_name = "TIME")]
    pub run_time: Option<String>,
    /// Compress the bodies of all answers, whatever a request accepts, e.g. --compress gzip: for trying out how opsurge
    /// decodes [default: not at all]
    #[arg(long, value_enum, value_name = "CODING")]
    pub compress: Option<CompressChoice>,
    /// Flags of the stand-in.
    #[command(flatten)]
    pub stand_in: StandInArgs,
    /// Flags of diagnostics.
    #[command(flatten)]
    pub log: LogArgs,
}

/// How the stand-in codes its answers. br has no encoder in any build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompressChoice {
    /// As most servers do
    Gzip,
    /// zlib, as the name means in HTTP
    Deflate,
    /// In builds with the feature codings
    #[cfg(feature = "codings")]
    Zstd,
}

const TCP_HELP: &str =
    "Option of every connection's socket, e.g. linger=0; may be repeated (no-delay is on)

nodelay=off        hold back the end of a request until the server has acknowledged
linger=0           end connections by a reset, which leaves nothing in TIME_WAIT
keepalive=TIME     probe connections that were idle for so long, e.g. 30s
user-timeout=TIME  give up when what was sent stays unacknowledged, e.g. 5s
rcvbuf=BYTES       receive buffer: bounds what the server may send ahead
sndbuf=BYTES       send buffer
mss=BYTES          longest segment, 88 to 32767
congestion=NAME    congestion control, e.g. reno";

/// How connections are made.
#[derive(Clone, Debug, Args)]
pub struct SocketArgs {
    /// Connect to this Unix socket instead of the host's address: a path, or @NAME for an abstract name; what the
    /// requests say of the host stays as --host has it [default then: http://localhost]
    #[arg(
        long,
        value_name = "PATH|@NAME",
        conflicts_with_all = ["source_addresses", "tcp"],
        help_heading = "Sockets"
    )]
    pub unix_socket: Option<String>,
    /// Connect from these addresses of this machine in turn, each of which has 28,000 ports for a target address, e.g.
    /// 127.0.0.2,127.0.0.3, 127.0.0.2-127.0.0.9 or 127.0.0.0/28; may be repeated
    #[arg(long = "source-address", value_name = "IP", help_heading = "Sockets")]
    pub source_addresses: Vec<String>,
    /// Option of every connection's socket, e.g. linger=0 or rcvbuf=65536; may be repeated
    #[arg(
        long,
        value_name = "OPTION=VALUE",
        long_help = TCP_HELP,
        help_heading = "Sockets"
    )]
    pub tcp: Vec<String>,
}

/// How connections are encrypted: for targets with https.
#[derive(Clone, Debug, Default, Args)]
pub struct TlsArgs {
    /// Trust the certificates of this authority (PEM) instead of the machine's roots, e.g. --cacert ca.pem
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub cacert: Option<PathBuf>,
    /// Certificate of the client (PEM, with those between it and its root), for servers that ask for one (mTLS)
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub cert: Option<PathBuf>,
    /// Its private key (PEM, without a password)
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub key: Option<PathBuf>,
    /// Accept every certificate: any server that answers is measured. The report and the record say so
    #[arg(long, help_heading = "TLS")]
    pub insecure: bool,
    /// Name in the handshake (SNI) and in the server's certificate, e.g. --server-name api.example [default: the host of
    /// the URL]
    #[arg(long, value_name = "NAME", help_heading = "TLS")]
    pub server_name: Option<String>,
    /// Connect to this address instead of what the host resolves to, e.g. --resolve api.example:443:127.0.0.1; for http
    /// too; may be repeated
    #[arg(long, value_name = "HOST:PORT:ADDRESS", help_heading = "TLS")]
    pub resolve: Vec<String>,
    /// Resume the sessions of earlier connections, as browsers do, or do a full handshake for each: on, off [default: on]
    #[arg(long, value_name = "on|off", help_heading = "TLS")]
    pub tls_resume: Option<String>,
    /// Newest version that is offered: 1.2, 1.3 [default: 1.3]
    #[arg(long, value_name = "VERSION", help_heading = "TLS")]
    pub tls_max: Option<String>,
    /// Cipher suites that are offered, preferred first, e.g. --ciphers TLS_AES_128_GCM_SHA256 [default: all of rustls]
    #[arg(long, value_name = "LIST", help_heading = "TLS")]
    pub ciphers: Option<String>,
    /// Append the secrets of every connection to this file (SSLKEYLOGFILE format), to decrypt a capture of the packets
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub keylog: Option<PathBuf>,
}

/// How the stand-in behaves, for `mock` and `run --mock`.
#[derive(Clone, Debug, Args)]
pub struct StandInArgs {
    /// An agent is ready after this many polls that say "not yet" (404, the last one 200 null), or this time: 3, 1.5s;
    /// 0: with its registration, as in the real service
    #[arg(
        long,
        value_name = "POLLS|TIME",
        default_value = "0",
        help_heading = "Stand-in"
    )]
    pub mock_ready_after: String,
    /// Answer 500 to every workflow request, as the published Ops-Core does
    #[arg(long, help_heading = "Stand-in")]
    pub mock_published_500: bool,
    /// Known capacity: this many workers serve all requests but GET /health, first come first served, e.g. 8
    #[arg(
        long,
        value_name = "N",
        help_heading = "Stand-in",
        allow_hyphen_values = true
    )]
    pub mock_workers: Option<String>,
    /// Time that a worker needs for each request, e.g. 10ms: 8 workers then answer exactly 800 requests per second
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "Stand-in",
        allow_hyphen_values = true
    )]
    pub mock_service_time: Option<String>,
    /// Faults of the stand-in, e.g. reset-in-body=1%, stall=2s/10s, delay=200ms:5%; may be repeated
    ///
    /// Shares of the requests: reset-before-head, reset-in-head, reset-in-body, close-before-head, close-in-head,
    /// close-in-body (cut there by a reset or an end), close-idle (ended after an answer although the connection was to
    /// stay), no-answer, garbage (instead of an answer), extra-bytes (after one), status-500, slow-byte (a byte per
    /// millisecond), delay (TIME, or TIME:SHARE). A request meets one of them at most.
    ///
    /// For the last part of every period: stall (no answers), refuse (no connections).
    #[arg(long = "fault", value_name = "NAME=SHARE", help_heading = "Stand-in")]
    pub faults: Vec<String>,
    /// Serve HTTPS, with a certificate that is made at the start; run --mock trusts it by itself
    #[arg(long = "tls", help_heading = "Stand-in")]
    pub mock_tls: bool,
    /// Write that certificate to this file (PEM), for --cacert of a client in another process, e.g. --tls-save mock.pem
    #[arg(
        long,
        value_name = "FILE",
        requires = "mock_tls",
        help_heading = "Stand-in"
    )]
    pub tls_save: Option<PathBuf>,
    /// Faults of the stand-in's handshakes, e.g. --tls-fault cut-handshake=1%; may be repeated
    ///
    /// Shares of the connections: slow-handshake (a second late), alert (internal_error instead of an answer),
    /// cut-handshake (the end of the connection instead). For all of them: expired (certificate), no-resume (tickets are
    /// given out and never accepted).
    #[arg(
        long = "tls-fault",
        value_name = "NAME[=SHARE]",
        requires = "mock_tls",
        help_heading = "Stand-in"
    )]
    pub tls_faults: Vec<String>,
    /// Seed of the faults: the same one spoils the same numbers of requests
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Stand-in")]
    pub fault_seed: u64,
}

/// `opsurge report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Record of a run or a search, as --json wrote it
    #[arg(value_name = "RECORD")]
    pub record: PathBuf,
    /// Record that is drawn over the first one, on one page: give --html too
    #[arg(value_name = "OTHER", requires = "html", conflicts_with_all = ["csv", "json"])]
    pub other: Option<PathBuf>,
    /// Write the report as one HTML file with charts and the record inside; it needs no network, e.g. --html run.html
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Leave out the load before this time, e.g. --from 12s or --from 1m30s
    ///
    /// Every report is then of that part, from the seconds of the series. A second belongs to it as a whole or not at all.
    /// What is not known by second is left out and named.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Leave out the load after this time, and the drain, e.g. --to 60s
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Length of the printed report; it is as wide as the terminal or $COLUMNS
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub report: ReportForm,
    /// Write Locust's four CSV files: PREFIX_stats.csv, _stats_history, _failures, _exceptions
    #[arg(long, value_name = "PREFIX")]
    pub csv: Option<PathBuf>,
    /// One row per step and second in PREFIX_stats_history.csv, not only the aggregate
    #[arg(long, requires = "csv")]
    pub csv_full_history: bool,
    /// Flags of what other programs read.
    #[command(flatten)]
    pub ci: CiArgs,
    /// Write the record again
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Print only verdict, failures and errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// `opsurge compare`.
#[derive(Debug, Args)]
#[command(mut_args = only_with_run)]
pub struct CompareArgs {
    /// Record of the run to compare with: one run, several inside (run --repeat), or three or more with commas between;
    /// with --run, the host to compare with
    #[arg(value_name = "BASE")]
    pub base: String,
    /// Record to judge, in the same way; with --run, the host to judge
    #[arg(value_name = "NEW")]
    pub new: String,
    /// Run the same job against both hosts in turns and compare: base, new, new, base, base, new, ... --repeat times each
    /// [default then: 5], with a pause of --repeat-pause between two runs; takes the flags of run, e.g. --run
    /// http://localhost:8000 http://localhost:8001 mixed -u 50 -t 1m
    #[arg(long)]
    pub run: bool,
    /// Write the record of the base's runs, each whole inside
    #[arg(long, value_name = "FILE")]
    pub json_base: Option<PathBuf>,
    /// Write the record of new's runs, each whole inside
    #[arg(long, value_name = "FILE")]
    pub json_new: Option<PathBuf>,
    /// How much worse a figure may become, as a share of the base's, before the exit code is 4
    #[arg(long, value_name = "SHARE", default_value = "5%")]
    pub tolerance: String,
    /// Compare runs of different scenarios, and searches
    #[arg(long)]
    pub force: bool,
    /// The flags of `run`, for --run.
    #[command(flatten)]
    pub flags: RunArgs,
}

/// Arguments of `compare` that records take too.
const FOR_RECORDS: [&str; 6] = ["base", "new", "run", "tolerance", "force", "help"];

/// The other arguments of `compare` say what is to be run.
fn only_with_run(arg: Arg) -> Arg {
    match FOR_RECORDS.contains(&arg.get_id().as_str()) {
        true => arg,
        false => arg.requires("run"),
    }
}

/// `opsurge merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Records of the parts, as --json wrote them
    #[arg(value_name = "RECORD", required = true)]
    pub records: Vec<PathBuf>,
    /// Where the merged record goes; - is standard output, and the report then goes to standard error
    #[arg(short, long, value_name = "RECORD", required = true)]
    pub output: PathBuf,
    /// How seconds of the parts are joined: by the wall clocks of their machines, or by their common start [default: clock
    /// where the clocks are good enough]
    #[arg(long, value_enum)]
    pub align: Option<AlignChoice>,
    /// Merge records that do not seem to belong together
    #[arg(long)]
    pub force: bool,
}

/// How the seconds of several records are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AlignChoice {
    /// By the wall clocks of their machines
    Clock,
    /// By their common start
    Start,
}

/// `opsurge scenarios`.
#[derive(Debug, Args)]
pub struct ScenariosArgs {
    /// Action [default: list]
    #[command(subcommand)]
    pub action: Option<ScenariosAction>,
}

/// Actions of `opsurge scenarios`.
#[derive(Debug, Subcommand)]
pub enum ScenariosAction {
    /// Names and purposes of the built-in scenarios
    List,
    /// Print a built-in scenario's file, to be copied and edited
    Show {
        /// Name or number
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Print the whole format as a scenario that explains itself
    Format,
    /// Check a scenario, and print what it will send: each step's request, the mix, the rate
    Check {
        /// File ending in .toml, or a built-in name or number
        #[arg(value_name = "FILE|NAME")]
        name: String,
        /// Environment variable that holds the API key
        #[arg(long, value_name = "NAME", default_value = "OPSCORE_API_KEY")]
        api_key_env: String,
        /// Users that the rates, and with kinds of users the numbers of each, are shown for, e.g. -u 500 [default: those of
        /// the scenario, or some]
        #[arg(short = 'u', long, value_name = "N", allow_hyphen_values = true)]
        users: Option<String>,
        /// The same for an open load of so many iterations per second, e.g. --rate 50
        #[arg(
            long,
            value_name = "N",
            conflicts_with = "users",
            allow_negative_numbers = true
        )]
        rate: Option<String>,
    },
    /// Make a scenario from curl commands, a HAR file, an OpenAPI 3 description or a locustfile
    ///
    /// The kind is told by the content. The scenario goes to standard output, and a line for each thing that was guessed or
    /// not translated, with its place, to standard error. Secrets are left out: each becomes a variable to fill in.
    ///
    /// A locustfile is parsed by python3 and never run.
    ///
    /// Example: opsurge scenarios from session.har > shop.toml
    From {
        /// File, or - for standard input
        #[arg(value_name = "FILE|-")]
        file: String,
    },
}

/// `opsurge doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Service that is to be tested: one connection to it is tried, with https a handshake, e.g. --host http://localhost:8000
    #[arg(short = 'H', long, value_name = "URL")]
    pub host: Option<String>,
    /// Connections of the planned run, e.g. -u 20000; a run has one for each user unless it is given --connections
    #[arg(
        short = 'u',
        long,
        visible_alias = "users",
        value_name = "N",
        default_value = "50",
        allow_hyphen_values = true
    )]
    pub connections: String,
    /// Flags of TLS: with https, a handshake is tried too.
    #[command(flatten)]
    pub tls: TlsArgs,
    /// Print one JSON object instead: limits, notes, findings (check, state, found, effect, cure)
    #[arg(long)]
    pub json: bool,
}

/// `opsurge completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Shell that will read the script, e.g. bash
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: ShellChoice,
}

/// A shell that can complete command lines.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ShellChoice {
    /// bash 4 or later, with the package bash-completion or by source
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

/// `opsurge man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Folder for opsurge.1, opsurge-run.1 and so on; it is made when it is missing
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

/// What build servers read.
#[derive(Clone, Debug, Args)]
pub struct CiArgs {
    /// Write a summary in Markdown for a pull request: whether it passed, verdict, six numbers, steps, rules, failures
    /// [default: appended to $GITHUB_STEP_SUMMARY where that is set]
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub summary_markdown: Option<PathBuf>,
    /// Compare with this record in the summary, e.g. --summary-base main.json
    #[arg(long, value_name = "RECORD", help_heading = "Results")]
    pub summary_base: Option<PathBuf>,
    /// Write JUnit XML, e.g. --junit opsurge.xml: a test case for each rule of --fail-if and --require, and whether
    /// requests failed
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub junit: Option<PathBuf>,
}

/// Diagnostics.
#[derive(Clone, Debug, Args)]
pub struct LogArgs {
    /// Diagnostics on standard error
    #[arg(long, value_enum, default_value_t, help_heading = "Results")]
    pub log_level: LogLevel,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum LogLevel {
    /// Nothing
    Off,
    /// Errors
    Error,
    /// Warnings
    #[default]
    Warn,
    /// Steps of the run
    Info,
    /// Why
    Debug,
    /// Everything
    Trace,
}

/// What is shown while a run lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LiveForm {
    /// Charts, tables, and keys that stop the run or change its load
    Screen,
    /// One line: each second on a terminal, else every 10 s
    Line,
    /// Nothing, as with --headless
    None,
}

/// How much of the report is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportForm {
    /// What went wrong, one line of totals, one table
    #[default]
    Short,
    /// Every percentile, the parts of the response time, each error with an example
    Full,
}

/// How the iterations of an open load lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ArrivalsChoice {
    /// At equal distances
    #[default]
    Constant,
    /// At random, independently of each other
    Poisson,
}

/// Kernel interface.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum IoChoice {
    /// io_uring where the kernel allows it, else epoll
    #[default]
    Auto,
    /// io_uring or nothing
    Uring,
    /// epoll
    Epoll,
}

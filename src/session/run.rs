//! Session: a job prepared, then run; its seconds judged and published, its record made.

use anyhow::{Result, bail};

use crate::engine;
use crate::engine::{Order, Second};
use crate::metrics::tick::Ticks;
use crate::record::hdr::{IntervalLog, Stretch};
use crate::record::schema::{Calibration, LevelRecord, OnceRecord, Record};

use super::calibration;
use super::ending::{Ending, Facts};
use super::evidence;
use super::evidence::Carried;
use super::exit::cannot;
use super::job::{Gates, Job, Judging, Outputs};
use super::once;
use super::orders::{Change, Orders};
use super::prepare::Prepared;
use super::publish::Publisher;
use super::rules;
use super::run_judge::RunJudge;
use super::settle;
use super::signals::Signals;
use super::steer::{Course, Steer};
use super::until;
use super::watch::SecondJudge;
use super::watched::sampling::Sampling;

/// A job that is ready to run.
pub struct Session {
    pub prepared: Prepared,
    pub judging: Judging,
    pub outputs: Outputs,
    gates: Gates,
}

/// A session that has ended.
pub struct Finished {
    pub record: Record,
    pub ending: Ending,
    /// Its last line is not written yet.
    pub log: Option<IntervalLog>,
    pub outputs: Outputs,
}

/// Events of a run that no reader may miss.
pub enum Notice<'n> {
    /// A search has judged a level.
    Level(&'n LevelRecord, &'n Course),
    /// The interval log ends before the run.
    LogFailed(&'n anyhow::Error),
}

/// Called on the thread that collects the seconds.
pub type OnNotice<'o> = &'o mut dyn FnMut(Notice<'_>);

impl Session {
    /// Prepares everything; no request is sent.
    ///
    /// # Errors
    /// A limit of the machine or a refusal of the target, with the cure.
    pub fn prepare(job: Job) -> Result<Self> {
        Self::prepare_after(job, None)
    }

    /// The same after another run of the command, whose listener for signals serves this one too.
    ///
    /// # Errors
    /// As those of [`Session::prepare`].
    pub fn prepare_after(job: Job, signals: Option<Signals>) -> Result<Self> {
        Ok(Self {
            prepared: Prepared::new(job.traffic, signals)?,
            judging: job.judging,
            outputs: job.outputs,
            gates: job.gates,
        })
    }

    /// Runs the job to its end. Each second is published to `ticks`.
    ///
    /// # Errors
    /// When the run could not begin. What goes wrong later is in the record.
    pub fn carry_out(self, ticks: &Ticks, on_notice: OnNotice<'_>) -> Result<Finished> {
        let Self {
            mut prepared,
            judging,
            outputs,
            gates,
        } = self;
        let setup = once::set_up(&mut prepared)?;
        let watched = std::mem::take(&mut prepared.watched);
        match judging {
            Judging::Rules(mut judge) => {
                let log = open_log(&outputs, &prepared)?;
                let mut seconds = Seconds::new(&prepared, log, ticks, on_notice, setup);
                let carried = seconds.run(&mut Judge::Rules(&mut judge), watched.start())?;
                let log = seconds.log;
                let load_from_ns = carried.ran.load_from_ns;
                let known = calibration(&prepared);
                let mut record = evidence::record(prepared, &carried);
                put_beside(&mut record, known.as_ref(), &carried);
                rules::put_into(&mut record, judge.referee, load_from_ns);
                if let Some(precision) = judge.precision {
                    until::put_into(&mut record, precision, judge.is_precise);
                }
                // A failure within the settling time fails the run all the same.
                let facts = Facts::of(&record, &gates, carried.interrupted);
                let record = settle::without_settling(record, judge.settle);
                Ok(Finished::new(record, &facts, log, outputs))
            }
            Judging::Search(search) => {
                let mut steer = Steer::new(
                    &search.course,
                    &prepared.plan,
                    &prepared.control,
                    search.levels,
                );
                if !steer.begin() {
                    bail!(
                        "--resume: the search in that record has ended already: {}",
                        steer.found().ended
                    );
                }
                let log = open_log(&outputs, &prepared)?;
                let mut seconds = Seconds::new(&prepared, log, ticks, on_notice, setup);
                let carried = seconds.run(&mut Judge::Search(&mut steer), watched.start())?;
                let log = seconds.log;
                let mut found = steer.found();
                let is_found = steer.has_found();
                let always_failed = steer.always_failed().to_vec();
                let names = rules::step_names(&prepared.plan.scenario);
                let known = calibration(&prepared);
                let mut record = evidence::record(prepared, &carried);
                put_beside(&mut record, known.as_ref(), &carried);
                if !always_failed.is_empty() {
                    found.ended = rules::search_ended_by(&record, &names, &always_failed);
                }
                let not_found = (!is_found).then(|| found.ended.clone());
                record.search = Some(found);
                let facts = Facts {
                    not_found,
                    ..Facts::of(&record, &gates, carried.interrupted)
                };
                Ok(Finished::new(record, &facts, log, outputs))
            }
        }
    }
}

impl Finished {
    fn new(mut record: Record, facts: &Facts, log: Option<IntervalLog>, outputs: Outputs) -> Self {
        let ending = facts.ending();
        ending.put_into(&mut record);
        Self {
            record,
            ending,
            log,
            outputs,
        }
    }
}

/// The kept calibration that holds for a run.
fn calibration(prepared: &Prepared) -> Option<Calibration> {
    let (plan, setup) = (&prepared.plan, &prepared.setup);
    let of = calibration::calibrated(plan, setup, prepared.cores_allowed, prepared.checksum);
    calibration::find(&calibration::folder()?, &of, plan.shards)
}

fn put_beside(record: &mut Record, known: Option<&Calibration>, carried: &Carried) {
    let beside = known.map(|known| calibration::beside(record, known, carried.ran.started_at));
    record.generator.calibration = beside;
}

/// The interval log, when one is wanted.
fn open_log(outputs: &Outputs, prepared: &Prepared) -> Result<Option<IntervalLog>> {
    let scenario = &prepared.plan.scenario;
    let open = |path| IntervalLog::create(path, &scenario.name, &scenario.metrics);
    cannot(outputs.hdr.as_deref().map(open).transpose())
}

/// The judge of a run, while it lasts.
enum Judge<'j, 'p> {
    Rules(&'j mut RunJudge),
    Search(&'j mut Steer<'p>),
}

impl Judge<'_, '_> {
    /// Takes a second; whether the load is to end.
    fn on_second(&mut self, second: &Second<'_>, on_notice: OnNotice<'_>) -> bool {
        match self {
            Self::Rules(judge) => judge.on_second(second),
            Self::Search(steer) => {
                let known = steer.levels().len();
                let is_over = steer.on_second(second);
                for level in &steer.levels()[known..] {
                    on_notice(Notice::Level(level, steer.course()));
                }
                is_over
            }
        }
    }

    /// Takes an order that changes the load of a run; a search takes none.
    fn on_order(&mut self, change: Change) {
        if let Self::Rules(judge) = self {
            judge.referee.on_order(change.begin_ns, change.ramp_ns);
        }
    }

    /// The level that a search measures now.
    fn level(&self) -> Option<f64> {
        match self {
            Self::Rules(_) => None,
            Self::Search(steer) => Some(steer.level()),
        }
    }
}

/// The seconds of a run, on their way to those who judge, log and watch them.
struct Seconds<'s> {
    prepared: &'s Prepared,
    log: Option<IntervalLog>,
    publisher: Publisher<'s>,
    on_notice: OnNotice<'s>,
    /// What the setup did, until it is taken for the record.
    setup: Option<OnceRecord>,
}

impl<'s> Seconds<'s> {
    fn new(
        prepared: &'s Prepared,
        log: Option<IntervalLog>,
        ticks: &'s Ticks,
        on_notice: OnNotice<'s>,
        setup: Option<OnceRecord>,
    ) -> Self {
        Self {
            prepared,
            log,
            publisher: Publisher::new(ticks, prepared.plan.scenario.metrics.len()),
            on_notice,
            setup,
        }
    }

    /// Runs the plan to its end, or to that of its control.
    fn run(&mut self, judge: &mut Judge<'_, '_>, sampling: Sampling) -> Result<Carried> {
        let prepared = self.prepared;
        let mut second_judge = SecondJudge::start(prepared.plan.load.is_steered());
        let (plan, setup, control) = (&prepared.plan, &prepared.setup, &prepared.control);
        let mut orders = Orders::new(plan, control, prepared.given.spawn_rate);
        let ran = cannot(engine::run(plan, setup, control, &mut |second| {
            second_judge.on_second(second);
            self.log(second);
            if judge.on_second(second, self.on_notice) {
                control.give(Order::Drain);
            }
            if let Some(change) = orders.on_second(second) {
                judge.on_order(change);
            }
            self.publisher
                .publish(second, second_judge.status(), judge.level());
        }));
        // No figure follows: a reader need not wait for the record.
        self.publisher.close();
        let teardown = once::tear_down(prepared);
        prepared.signals.on_run_over();
        Ok(Carried {
            beside: sampling.stop(),
            ran: ran?,
            watched: second_judge.into_watched(),
            interrupted: prepared.signals.interrupted(),
            orders: orders.into_records(),
            setup: self.setup.take(),
            teardown,
        })
    }

    /// Writes a second to the interval log. A disk that is full ends the log, not the run.
    fn log(&mut self, second: &Second<'_>) {
        let Some(log) = &mut self.log else {
            return;
        };
        let written = log.on_second(&Stretch {
            started_at: second.started_at,
            begin_ns: second.begin_ns,
            end_ns: second.end_ns,
            interval: second.interval,
        });
        if let Err(error) = written {
            (self.on_notice)(Notice::LogFailed(&error));
        }
    }
}

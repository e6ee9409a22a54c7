//! A calibration: the scenario without its waits against canned answers. What the shards can generate at most, and how
//! fast an answer can be on this machine.
//!
//! Two runs of the same engine: first one user alone, whose service times are the floor; then all connections at once, for
//! the ceiling. The responder has cores of its own where there are enough.

use std::time::SystemTime;

use anyhow::{Context, Result, anyhow, bail};

use crate::analysis::confidence::Mean;
use crate::analysis::seconds::BUSY_MAX;
use crate::machine;
use crate::machine::cpu;
use crate::metrics::tick::Ticks;
use crate::mock::{CannedAnswer, CannedResponder, CannedUse, REQUEST_BYTES_MAX, TlsConfig};
use crate::record::schema::{CALIBRATION_SCHEMA, Calibrated, Calibration, Record, SampleRecord};
use crate::scenario::canned;
use crate::scenario::model::Scenario;
use crate::text::units::{counted, grouped};

use super::calibration;
use super::cores::{Cores, share_out};
use super::exit::{Exit, cannot};
use super::job::{Job, JobTarget};
use super::run::Session;
use super::target::Target;

/// Seconds that begin earlier contain connects and start steps, in seconds since the start.
const SETTLED_S: f64 = 0.9;
/// A shorter sample has no rate of its own, in seconds.
const SAMPLE_S_MIN: f64 = 0.5;

/// The two runs of a calibration, their waits taken out. Their targets are replaced by the responder.
pub struct CalibrationJob {
    /// One user, one connection.
    pub floor: Job,
    /// All users at once.
    pub ceiling: Job,
}

/// A part of a calibration that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Floor,
    Ceiling,
}

/// A calibration that has ended.
pub struct Found {
    pub calibration: Calibration,
    /// Generator and responder, or several shards, share a core.
    pub cores_shared: bool,
}

/// One run against the responder.
struct Measured {
    record: Record,
    of: Calibrated,
    responder: Vec<CannedUse>,
}

/// Carries it out; `None` when a signal ended it.
///
/// # Errors
/// A step whose expectations no canned answer can meet; a limit of the machine; a request that failed.
pub fn calibrate(job: CalibrationJob, on_phase: &mut dyn FnMut(Phase)) -> Result<Option<Found>> {
    let answers = answers(&job.ceiling.traffic.scenario)?;
    let allowed = cannot(cpu::allowed_cores().context("the allowed cores are not known"))?;
    let users = job.ceiling.traffic.load.load.users_max();
    let users = usize::try_from(users).unwrap_or(usize::MAX);
    let wanted = job.ceiling.traffic.limits.shards;
    let quota = machine::cpu_quota_cores();
    let cores = share_out(&allowed, quota, wanted, true, users);
    on_phase(Phase::Floor);
    let Some(floor) = measure(job.floor, &cores, 1, &answers)? else {
        return Ok(None);
    };
    on_phase(Phase::Ceiling);
    let Some(ceiling) = measure(job.ceiling, &cores, cores.shards.len(), &answers)? else {
        return Ok(None);
    };
    Ok(Some(Found {
        calibration: found(&floor, ceiling, cores.shared),
        cores_shared: cores.shared,
    }))
}

/// The answers to the steps of a scenario.
fn answers(scenario: &Scenario) -> Result<Vec<CannedAnswer>> {
    for step in &scenario.steps {
        let bytes = step.template.bytes_max() + step.template.shared_bytes();
        if bytes > REQUEST_BYTES_MAX {
            let label = &scenario.metrics[usize::from(step.metric)];
            bail!(
                "{} {} sends up to {} bytes, and the canned responder takes {}; calibrate with a smaller body",
                label.method,
                label.name,
                grouped(bytes as u64),
                grouped(REQUEST_BYTES_MAX as u64)
            );
        }
    }
    let answers = canned::answers(scenario).map_err(anyhow::Error::msg)?;
    let answers = answers.into_iter().map(|answer| CannedAnswer {
        head_bytes: answer.head.len(),
        bytes: [answer.head, answer.body].concat(),
        closes: answer.closes,
    });
    Ok(answers.collect())
}

/// Runs a job with so many shards against a responder of its own; `None` when a signal ended it.
fn measure(
    mut job: Job,
    cores: &Cores,
    shards: usize,
    answers: &[CannedAnswer],
) -> Result<Option<Measured>> {
    let is_https = match &job.traffic.target {
        JobTarget::Service(target) => target.is_https,
        JobTarget::StandIn(config) => config.tls.is_some(),
    };
    let tls = is_https.then(TlsConfig::default);
    let responder = CannedResponder::start(&cores.stand_in, answers.to_vec(), tls.as_ref());
    let responder = cannot(responder.context("the canned responder cannot be started"))?;
    let scenario = job.traffic.scenario.bind("", "");
    let checksum = calibration::checksum(&scenario);
    job.traffic.scenario = Scenario {
        // What is done once is no load.
        setup: None,
        teardown: None,
        ..scenario.to_one_target().with_step_numbers()
    };
    let mut address = responder.address().to_string();
    if let Some(certificate) = responder.certificate() {
        // Its own certificate is verified, as the target's would be.
        let tls = &mut job.traffic.connecting.tls;
        tls.roots = Some(vec![certificate.der.clone()]);
        tls.server_name = None;
        address = format!("https://{address}");
    }
    let target = Target::parse(&address, "calibrate")?;
    job.traffic.target = JobTarget::Service(target);
    job.traffic.limits.shards = Some(shards);
    // Not those of the responder.
    job.traffic.limits.cores = cores.shards[..shards].iter().copied().collect();
    let session = Session::prepare(job)?;
    let prepared = &session.prepared;
    let of = calibration::calibrated(
        &prepared.plan,
        &prepared.setup,
        prepared.cores_allowed,
        checksum,
    );
    let finished = session.carry_out(&Ticks::default(), &mut |_| {})?;
    let responder = responder.stop();
    if finished.ending.exit_code == Exit::INTERRUPTED.0 {
        return Ok(None);
    }
    let record = finished.record;
    cannot(check(&record))?;
    Ok(Some(Measured {
        record,
        of,
        responder,
    }))
}

/// Every request has to have succeeded: an answer that does not fit measures something else.
fn check(record: &Record) -> Result<()> {
    let totals = &record.totals;
    if let Some(error) = &record.run.error {
        bail!("{error}");
    }
    if let Some(error) = record.errors.first() {
        bail!(
            "{} of {} failed, most often {} {} ({}): a calibration with failures measures something else",
            grouped(totals.failures),
            counted(totals.requests, "request"),
            error.method,
            error.name,
            error.detail
        );
    }
    match totals.requests {
        0 => Err(anyhow!("no request had an answer; give a longer -t")),
        _ => Ok(()),
    }
}

fn found(floor: &Measured, ceiling: Measured, cores_shared: bool) -> Calibration {
    let record = &ceiling.record;
    let settled: Vec<&SampleRecord> = record
        .series
        .iter()
        .filter(|sample| {
            !sample.is_drain
                && sample.length_s >= SAMPLE_S_MIN
                && sample.t_s - sample.length_s >= SETTLED_S
        })
        .collect();
    let rates: Vec<f64> = settled.iter().map(|sample| sample.rps).collect();
    let mean = Mean::of(&rates);
    let busiest = record.generator.shards.iter().map(|shard| shard.busy);
    let busy = match settled.len() {
        0 => busiest.fold(0.0, f64::max),
        count => settled.iter().map(|sample| sample.busy).sum::<f64>() / count as f64,
    };
    let core_waited = record.generator.shards.iter();
    let core_waited = core_waited.filter_map(|shard| shard.waited);
    let cpu_s = record.generator.cpu_user_s + record.generator.cpu_system_s;
    let service = &floor.record.totals.service_us;
    let responder = ceiling.responder.iter().map(|used| used.busy);
    Calibration {
        schema: CALIBRATION_SCHEMA.into(),
        shards: record.run.shards,
        made_at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        ceiling_rps: match (&mean, &rates[..]) {
            (Some(mean), _) => mean.value,
            (None, [only]) => *only,
            (None, _) => record.totals.rps,
        },
        ceiling_rps_low: mean.as_ref().map(|mean| mean.low.max(0.0)),
        ceiling_rps_high: mean.as_ref().map(|mean| mean.high),
        is_at_least: busy <= BUSY_MAX || cores_shared,
        cpu_us_per_request: cpu_s * 1e6 / record.totals.requests.max(1) as f64,
        busy,
        core_waited: core_waited.fold(0.0, f64::max),
        responder_busy: responder.fold(0.0, f64::max),
        floor_p50_us: service.p50,
        floor_p99_us: service.p99,
        of: ceiling.of,
    }
}

//! How the stand-in behaves, for `mock` and `run --mock`.

use anyhow::{Context, Result, bail};
use socket2::SockAddr;

use crate::cli::args::StandInArgs;
use crate::mock::{Capacity, MockConfig, Ready, Runtime};
use crate::text::duration;
use crate::text::units::grouped;

use super::faults;

/// Most workers of a stand-in with a known capacity.
const WORKERS_MAX: usize = 1_000_000;

/// The stand-in's settings as they were typed; its cores and key are the caller's to set.
pub fn config(args: &StandInArgs, listen: SockAddr) -> Result<MockConfig> {
    if listen.is_unix() && !args.faults.is_empty() {
        bail!(
            "--fault is played on TCP only, where connections can be reset; leave --unix-socket out"
        );
    }
    let text = &args.mock_ready_after;
    let ready = match text.parse() {
        Ok(polls) => Ready::AfterPolls(polls),
        Err(_) => Ready::AfterDelay(
            duration::parse(text)
                .context("--mock-ready-after takes a number of polls, or a time")?,
        ),
    };
    Ok(MockConfig {
        listen,
        ready,
        published_500: args.mock_published_500,
        runtime: Runtime::Auto,
        capacity: capacity(args)?,
        faults: faults::parse(&args.faults, args.fault_seed)?,
        tls: match args.mock_tls {
            true => Some(faults::parse_tls(&args.tls_faults)?),
            false => None,
        },
        ..MockConfig::default()
    })
}

fn capacity(args: &StandInArgs) -> Result<Option<Capacity>> {
    let (workers, service_time) = match (&args.mock_workers, &args.mock_service_time) {
        (None, None) => return Ok(None),
        (Some(_), None) => {
            bail!(
                "--mock-workers has no effect without --mock-service-time; add for example --mock-service-time 10ms"
            )
        }
        (None, Some(_)) => {
            bail!(
                "--mock-service-time has no effect without --mock-workers; add for example --mock-workers 8"
            )
        }
        (Some(workers), Some(service_time)) => (workers, service_time),
    };
    let service_time = duration::parse(service_time).context("--mock-service-time")?;
    if service_time.is_zero() {
        bail!(
            "--mock-service-time 0 is no bound on anything; give a time above 0, for example 10ms"
        );
    }
    match workers.parse() {
        Ok(workers) if (1..=WORKERS_MAX).contains(&workers) => Ok(Some(Capacity {
            workers,
            service_time,
        })),
        _ => bail!(
            "--mock-workers {workers}: give a whole number from 1 to {}",
            grouped(WORKERS_MAX as u64)
        ),
    }
}

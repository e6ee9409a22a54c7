//! The body of a shard's thread: pin, build the driver, wait for the others, run, hand over the outcomes. A panic ends the
//! run of all shards, not the process: the counts until then are kept.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Context, Result, anyhow};

use crate::io::clock::Clock;
use crate::io::{Driver, DriverConfig};
use crate::machine::cpu;
use crate::machine::cpu::{CoreClock, CpuTime};

use super::collector::Port;
use super::control::{Control, Order};
use super::gate::Gate;
use super::outcomes::Outcomes;
use super::plan::Plan;
use super::setup::{Setup, driver_config};
use super::shard::Shard;

/// What a shard's thread works on.
#[derive(Clone, Copy)]
pub(super) struct ShardThread<'r> {
    pub plan: &'r Plan,
    pub setup: &'r Setup,
    pub index: usize,
    pub gate: &'r Gate,
    pub control: &'r Control,
}

/// What a shard's thread leaves behind.
pub(super) struct Finished {
    pub core: Option<usize>,
    pub cpu: CpuTime,
    pub waited_ns: Option<u64>,
    /// `None` when a panic left nothing readable.
    pub outcomes: Option<Outcomes>,
    /// Message of the panic that ended the shard.
    pub panic: Option<String>,
}

impl ShardThread<'_> {
    /// Runs the shard to its end. Returns `None` when another shard could not be set up.
    ///
    /// # Errors
    /// When this shard could not be set up.
    pub fn run<D: Driver>(
        self,
        port: Port,
        build: impl Fn(&DriverConfig, Clock) -> io::Result<D>,
    ) -> Result<Option<Finished>> {
        let _stop = StopAll::when_panicking(self.gate, self.control);
        let core = self.setup.cores.get(self.index).copied().flatten();
        let set_up = catch_unwind(AssertUnwindSafe(|| self.set_up(core, port, build)));
        let set_up = set_up.unwrap_or_else(|panic| {
            Err(anyhow!(
                "its set-up panicked, which is a defect of opsurge: {}",
                panic_message(&*panic)
            ))
        });
        if set_up.is_err() {
            self.gate.cancel();
        }
        let (shard, port) = set_up.with_context(|| {
            format!(
                "shard {} could not be set up; fewer --shards or --connections need less",
                self.index
            )
        })?;
        Ok(self.start(core, shard, port))
    }

    fn set_up<D: Driver>(
        &self,
        core: Option<usize>,
        mut port: Port,
        build: impl Fn(&DriverConfig, Clock) -> io::Result<D>,
    ) -> Result<(Shard<'_, D>, Port)> {
        if let Some(core) = core {
            // An unpinned shard measures as correctly, with more noise.
            if let Err(error) = cpu::pin(core) {
                let index = self.index;
                tracing::warn!("shard {index} could not be pinned to core {core}: {error}");
            }
        }
        let config = driver_config(self.plan, &self.setup.sockets, self.index);
        let driver = build(&config, self.gate.clock)?;
        let shard = Shard::new(self.plan, self.index, driver);
        port.fill();
        Ok((shard, port))
    }

    fn start<D: Driver>(
        &self,
        core: Option<usize>,
        mut shard: Shard<'_, D>,
        port: Port,
    ) -> Option<Finished> {
        let is_called_off = || self.control.order() != Order::Run;
        let start = self.gate.pass(self.control.starts_at(), is_called_off)?;
        let (before, clock) = (CpuTime::of_this_thread(), CoreClock::of_this_thread());
        let mut on_interval = port.into_on_interval(&clock);
        let ran = catch_unwind(AssertUnwindSafe(|| {
            shard.run_turns(start, self.control, &mut on_interval);
        }));
        if ran.is_err() {
            // First of all: the other shards continue to send until they see the order.
            self.control.give(Order::StopNow);
        }
        let (after, core_time) = (CpuTime::of_this_thread(), clock.elapsed());
        let handed_over = catch_unwind(AssertUnwindSafe(|| match ran.is_ok() {
            true => shard.finish(self.control.order(), on_interval),
            false => shard.rescue(on_interval),
        }));
        let (outcomes, driver, failed_late) = match handed_over {
            Ok((outcomes, driver)) => (Some(outcomes), Some(driver), None),
            Err(panic) => (None, None, Some(panic)),
        };
        let closed = catch_unwind(AssertUnwindSafe(|| {
            let mut driver = driver;
            if let Some(driver) = driver.as_mut().filter(|_| ran.is_ok()) {
                driver.finish();
            }
        }));
        let panic = ran.err().or(failed_late).or(closed.err());
        if panic.is_some() {
            self.control.give(Order::StopNow);
        }
        Some(Finished {
            core,
            cpu: CpuTime {
                user_ns: after.user_ns - before.user_ns,
                system_ns: after.system_ns - before.system_ns,
            },
            waited_ns: core_time.map(|time| time.waited_ns),
            outcomes,
            panic: panic.map(|panic| panic_message(&*panic)),
        })
    }
}

/// Ends the whole run when its owner panics: otherwise the other shards would continue.
pub(super) struct StopAll<'r> {
    gate: &'r Gate,
    control: &'r Control,
}

impl<'r> StopAll<'r> {
    pub fn when_panicking(gate: &'r Gate, control: &'r Control) -> Self {
        Self { gate, control }
    }
}

impl Drop for StopAll<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.gate.cancel();
            self.control.give(Order::StopNow);
        }
    }
}

/// The message of a panic.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

//! The live page of a run: listened for before the run, served while it lasts and for a time after it.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::engine::{Control, Order, Wanted};
use crate::io::process;
use crate::live::page::control::Controls;
use crate::live::page::thread::{CONNECTIONS_MAX, Page, Setup, url};
use crate::live::screen::keys::Changes;
use crate::machine::cpu;
use crate::metrics::tick::Ticks;
use crate::record::schema::Record;
use crate::session::begun::begun;
use crate::session::exit::{Exit, cannot};
use crate::session::job::Web;
use crate::session::limits::descriptors_needed;
use crate::session::orders;
use crate::session::output::note;
use crate::session::prepare::Prepared;
use crate::session::signals::Signals;
use crate::text::duration;

use super::command;

/// Descriptors of the page beside its connections.
const DESCRIPTORS: u64 = 16;
/// Connections that the page has at least, however few descriptors there are.
const CONNECTIONS_MIN: u64 = 8;

/// An address that is listened on before the run begins.
pub struct Listening {
    listener: TcpListener,
    address: SocketAddr,
    web: Web,
}

/// The page of a run.
pub struct Served {
    page: Page,
    address: SocketAddr,
    /// With the token, where orders are taken.
    url: String,
    linger: Duration,
    signals: Signals,
    control: Arc<Control>,
}

impl Listening {
    /// Listens.
    ///
    /// # Errors
    /// When the address is taken or is not this machine's, with the cure.
    pub fn open(web: Web) -> Result<Self> {
        let listener = TcpListener::bind(web.address).with_context(|| {
            format!(
                "--web: cannot listen on {}; give another port, for example --web {}",
                web.address,
                web.address.port().saturating_add(1)
            )
        });
        let listener = cannot(listener)?;
        let address = cannot(listener.local_addr().context("--web"))?;
        Ok(Self {
            listener,
            address,
            web,
        })
    }

    /// The page takes orders.
    pub fn has_control(&self) -> bool {
        self.web.has_control
    }

    /// Serves the run, and says where. A page that cannot be served does not keep the run from being carried out.
    pub fn serve(self, prepared: &Prepared, ticks: &Arc<Ticks>) -> Option<Served> {
        let token = self.web.has_control.then(token);
        let mut begun = begun(prepared);
        begun.run.command = command::of_process();
        let setup = Setup {
            listener: self.listener,
            begun,
            controls: token.clone().map(|token| controls(prepared, token)),
            connections_max: connections(prepared),
            on_thread: stand_back,
            cores: cores_left(prepared),
        };
        match Page::start(setup, ticks.clone()) {
            Ok(page) => {
                let fragment = token.map(|token| format!("#token={token}"));
                let url = url(self.address) + &fragment.unwrap_or_default();
                note(format_args!(
                    "live page: {url}{}",
                    match self.address.ip().is_loopback() {
                        true => "",
                        false => " (without encryption, and open to all who reach this machine)",
                    }
                ));
                Some(Served {
                    page,
                    address: self.address,
                    url,
                    linger: self.web.linger,
                    signals: prepared.signals(),
                    control: prepared.control.clone(),
                })
            }
            Err(error) => {
                note(format_args!(
                    "note: the live page cannot be served: {error}"
                ));
                None
            }
        }
    }
}

impl Served {
    /// The address of the page, as it was printed.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The run is over.
    pub fn finish(&mut self, record: &Record) {
        self.page.finish(record);
    }

    /// Serves the last figures for a time, unless the run was told to end at once. Ctrl-C ends it with the run's code.
    pub fn linger(self, exit: Exit) {
        if self.linger.is_zero() || self.control.order() == Order::StopNow {
            return;
        }
        self.signals.on_reported(exit.0);
        note(format_args!(
            "serving the last figures on {} for {}; Ctrl-C ends it",
            url(self.address),
            duration::show(self.linger)
        ));
        self.page.linger(self.linger);
    }
}

/// 122 random bits.
fn token() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// The page's way to the run.
fn controls(prepared: &Prepared, token: String) -> Controls {
    let (asks, drains) = (prepared.control.clone(), prepared.control.clone());
    let limits = orders::limits(&prepared.plan);
    Controls {
        token,
        change: Box::new(move |level| asks.ask(Wanted { level, by: "web" })),
        drain: Box::new(move || {
            // As Ctrl-C; a second one would cut requests off.
            let is_running = drains.order() == Order::Run;
            is_running && kill(Pid::this(), Signal::SIGINT).is_ok()
        }),
        changes: limits.map_err(str::to_owned).map(|limits| Changes {
            is_open: limits.is_open,
            min: limits.min,
            max: limits.max,
        }),
    }
}

/// How many connections the page may have, beside those of the run.
fn connections(prepared: &Prepared) -> usize {
    let of_run = descriptors_needed(&prepared.plan, prepared.stand_in.is_some());
    let wanted = of_run + DESCRIPTORS + CONNECTIONS_MAX as u64;
    let limit = cpu::raise_descriptor_limit(wanted).unwrap_or(of_run);
    let left = limit.saturating_sub(of_run + DESCRIPTORS);
    left.clamp(CONNECTIONS_MIN, CONNECTIONS_MAX as u64) as usize
}

/// The cores that neither a shard nor the stand-in has.
fn cores_left(prepared: &Prepared) -> Vec<usize> {
    if prepared.stand_in.is_some() {
        return Vec::new();
    }
    let allowed = cpu::allowed_cores().unwrap_or_default();
    let is_left = |core: &usize| !prepared.setup.cores.contains(&Some(*core));
    allowed.into_iter().filter(is_left).collect()
}

/// Leaves the shards their cores: on others where there are any, else with a lower priority on the same.
fn stand_back(cores: &[usize]) {
    process::lower_priority_of_thread();
    let mut set = CpuSet::new();
    let are_set = cores.iter().all(|core| set.set(*core).is_ok());
    if !cores.is_empty() && are_set {
        // Refused, it shares the shards' cores at its lower priority.
        let _ = sched_setaffinity(Pid::from_raw(0), &set);
    }
}

//! The embedded Ops-Core stand-in. It shares no code with the client, so that neither can hide the other's mistakes.
//!
//! Reading order: [`Mock`] and [`MockConfig`] here, `server` (threads, connections), `unix` (the file of a Unix socket),
//! `request` (bytes -> requests),
//! `ops_core` (requests -> answers), `agents` (what is remembered), [`counts`] (what was answered); then, for answers
//! that take their time or are spoiled, `holding` (threads), `held` (connections), `workers` (a known capacity),
//! `faults`, `alarm` (moments).

mod agents;
mod alarm;
pub mod counts;
mod faults;
mod held;
mod holding;
mod ops_core;
mod request;
mod server;
mod unix;
mod workers;

pub use server::CONNECTION_BYTES;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::sync::watch;

use agents::Agents;
use counts::{Counters, Counts};
use faults::Faults;
pub use faults::{Fault, FaultPlan, Spell};
use held::Holds;
use ops_core::OpsCore;
use unix::SocketFile;
use workers::Workers;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// How the stand-in behaves.
#[derive(Clone, Debug)]
pub struct MockConfig {
    /// Where to listen; port 0 takes any free one. On a Unix socket it is tokio that carries the connections.
    pub listen: SockAddr,
    /// One pinned thread for each; empty for one thread that the kernel places.
    pub cores: Vec<usize>,
    /// The key that clients have to bring.
    pub api_key: String,
    /// When a registered agent has a state.
    pub ready: Ready,
    /// Answer 500 to every workflow request, as the published Ops-Core does.
    pub published_500: bool,
    /// What carries the connections. With a capacity or faults it is tokio, whatever is asked for here.
    pub runtime: Runtime,
    /// What it can do at most; as much as the machine when there is none.
    pub capacity: Option<Capacity>,
    /// What it does wrong, on purpose.
    pub faults: FaultPlan,
}

impl Default for MockConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into(),
            cores: Vec::new(),
            api_key: "test-api-key".into(),
            ready: Ready::AfterPolls(0),
            published_500: false,
            runtime: Runtime::Auto,
            capacity: None,
            faults: FaultPlan::default(),
        }
    }
}

/// A known capacity of exactly `workers / service_time`. Requests to `/health` take no worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Requests that are served at a time, first come first served; at least 1.
    pub workers: usize,
    /// What each takes.
    pub service_time: Duration,
}

/// When a registered agent has a state: until then polls get 404, and 200 with `null` just before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// After so many polls that say "not yet"; the last of them gets `null`.
    AfterPolls(u32),
    /// So long after the registration; `null` in the second half of it.
    AfterDelay(Duration),
}

/// What carries the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// tokio-uring where io_uring is to be had, else tokio.
    Auto,
    /// tokio-uring.
    Uring,
    /// tokio.
    Tokio,
}

/// A running stand-in. Stop it to have its threads end; dropping it does the same.
pub struct Mock {
    address: SockAddr,
    runtime: Runtime,
    listener: Socket,
    /// Of a Unix socket.
    _file: Option<SocketFile>,
    stop: watch::Sender<bool>,
    counters: Vec<Arc<Counters>>,
    agents: Arc<Agents>,
    threads: Vec<JoinHandle<()>>,
}

impl Mock {
    /// Listens, and serves from threads of its own.
    ///
    /// # Errors
    /// When the address cannot be had, or no thread.
    pub fn start(config: &MockConfig) -> io::Result<Self> {
        let (listener, file) = match config.faults.refuse {
            _ if config.listen.is_unix() => unix::bound(&config.listen)?,
            None => (bound(&config.listen)?, None),
            Some(_) => (bound_again_and_again(&config.listen)?, None),
        };
        listener.listen(BACKLOG)?;
        let faults = Some(&config.faults).filter(|faults| !faults.is_empty());
        let holds = (config.capacity.is_some() || faults.is_some()).then(|| {
            Arc::new(Holds {
                workers: config.capacity.map(Workers::new),
                faults: faults.map(Faults::new),
                is_refusing: AtomicBool::new(false),
            })
        });
        let runtime = match config.runtime {
            _ if holds.is_some() || config.listen.is_unix() => Runtime::Tokio,
            Runtime::Auto if server::has_uring() => Runtime::Uring,
            Runtime::Auto => Runtime::Tokio,
            wanted => wanted,
        };
        let (stop, stopped) = watch::channel(false);
        let mut mock = Self {
            address: listener.local_addr()?,
            runtime,
            listener,
            _file: file,
            stop,
            counters: Vec::new(),
            agents: Arc::new(Agents::new(config.ready)),
            threads: Vec::new(),
        };
        let cores: Vec<Option<usize>> = match &config.cores[..] {
            [] => vec![None],
            cores => cores.iter().copied().map(Some).collect(),
        };
        for (index, core) in cores.into_iter().enumerate() {
            let counters = Arc::new(Counters::default());
            mock.counters.push(counters.clone());
            let service = OpsCore::new(config, mock.agents.clone(), counters);
            // One listening socket for all threads: whoever is idle accepts. Sockets of their own (SO_REUSEPORT) are
            // chosen by hash, which leaves 50 connections on two threads as uneven as 30 and 20.
            let listener = mock.listener.try_clone()?;
            let (holds, stopped) = (holds.clone(), stopped.clone());
            let body = move || server::serve(runtime, core, listener, service, holds, stopped);
            let builder = std::thread::Builder::new().name(format!("stand-in-{index}"));
            mock.threads.push(builder.spawn(body)?);
        }
        Ok(mock)
    }

    /// Where it listens.
    ///
    /// # Panics
    /// When that is a Unix socket.
    pub fn address(&self) -> SocketAddr {
        self.address.as_socket().expect("it listens on TCP")
    }

    /// `tokio-uring` or `tokio`.
    pub fn runtime(&self) -> &'static str {
        match self.runtime {
            Runtime::Tokio => "tokio",
            Runtime::Auto | Runtime::Uring => "tokio-uring",
        }
    }

    /// What it has answered so far.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts {
            agents: self.agents.registered(),
            ..Counts::default()
        };
        for counters in &self.counters {
            counters.add_to(&mut counts);
        }
        counts
    }

    /// Closes all connections, ends all threads; the final counts.
    pub fn stop(mut self) -> Counts {
        self.end();
        self.counts()
    }

    fn end(&mut self) {
        // Whoever has ended already does not listen any more.
        let _ = self.stop.send(true);
        // Wakes those who wait in accept. On tokio the order itself does, and a Unix socket that was shut down would be
        // ready for ever and give nobody.
        if !self.address.is_unix() {
            let _ = self.listener.shutdown(std::net::Shutdown::Both);
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the stand-in has panicked");
            }
        }
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.end();
    }
}

/// A socket that will stop listening and start again: a port that the kernel chose would be lost then, one that was
/// asked for is kept.
fn bound_again_and_again(address: &SockAddr) -> io::Result<Socket> {
    let chosen = bound(address)?;
    bound(&chosen.local_addr()?)
}

fn bound(address: &SockAddr) -> io::Result<Socket> {
    let domain = Domain::from(i32::from(address.family()));
    let socket = Socket::new(domain, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(address)?;
    Ok(socket)
}

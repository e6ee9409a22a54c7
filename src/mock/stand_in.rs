//! Starts and stops the stand-in.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use socket2::{SockAddr, Socket};
use tokio::sync::watch;

use super::agents::Agents;
use super::config::{MockConfig, Runtime};
use super::counts::{Counters, Counts};
use super::impairments::Impairments;
use super::listener;
use super::ops_core::OpsCore;
use super::thread;
use super::thread::Manner;
use super::tls::{ServedCertificate, TlsServer};
use super::unix::SocketFile;

/// A running stand-in. Dropping it stops it.
pub struct Mock {
    address: SockAddr,
    runtime: Runtime,
    listener: Socket,
    /// The file of a Unix socket.
    _file: Option<SocketFile>,
    stop: watch::Sender<bool>,
    counters: Vec<Arc<Counters>>,
    agents: Arc<Agents>,
    tls: Option<Arc<TlsServer>>,
    certificate: Option<ServedCertificate>,
    threads: Vec<JoinHandle<()>>,
}

impl Mock {
    /// Listens, and serves from threads of its own.
    ///
    /// # Errors
    /// When the address cannot be bound, or a thread cannot be started.
    pub fn start(config: &MockConfig) -> io::Result<Self> {
        let (listener, file) = listener::listen(config)?;
        let impairments = Impairments::new(config).map(Arc::new);
        let (tls, certificate) = match &config.tls {
            None => (None, None),
            Some(config) => {
                let (server, certificate) = TlsServer::new(config)?;
                (Some(Arc::new(server)), Some(certificate))
            }
        };
        let runtime = match config.runtime {
            _ if impairments.is_some() || config.listen.is_unix() => Runtime::Tokio,
            Runtime::Auto if thread::has_uring() => Runtime::Uring,
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
            tls,
            certificate,
            threads: Vec::new(),
        };
        for (index, &core) in config.cores.iter().enumerate() {
            let counters = Arc::new(Counters::default());
            mock.counters.push(counters.clone());
            let service = OpsCore::new(config, mock.agents.clone(), counters);
            // All threads share one listening socket, so an idle thread accepts. With a socket for each thread
            // (SO_REUSEPORT) the kernel chooses by hash, which splits 50 connections on two threads as unevenly as 30
            // and 20.
            let listener = mock.listener.try_clone()?;
            let manner = Manner {
                impairments: impairments.clone(),
                tls: mock.tls.clone(),
            };
            let stopped = stopped.clone();
            let body = move || thread::serve(runtime, core, listener, service, manner, stopped);
            let builder = std::thread::Builder::new().name(format!("stand-in-{index}"));
            mock.threads.push(builder.spawn(body)?);
        }
        Ok(mock)
    }

    /// The address that it listens on.
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

    /// The certificate that its clients have to trust; `None` in plain text.
    pub fn certificate(&self) -> Option<&ServedCertificate> {
        self.certificate.as_ref()
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
            .faults
            .extend(self.tls.iter().flat_map(|tls| tls.faults()));
        counts
    }

    /// Closes all connections and ends all threads; returns the final counts.
    pub fn stop(mut self) -> Counts {
        self.end();
        self.counts()
    }

    fn end(&mut self) {
        // It fails when all threads have ended already.
        let _ = self.stop.send(true);
        // The shutdown wakes threads that wait in accept. On tokio the message alone does, and a Unix socket that was
        // shut down would stay ready for ever without a connection to accept.
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

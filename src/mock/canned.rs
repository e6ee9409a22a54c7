//! A canned responder: it sends an answer made beforehand to each request, as fast as a simple server can, so that the
//! generator is the limit. `opsurge calibrate` measures against it.
//!
//! A request says in its path which answer it wants (`/~3/any/path`: the fourth). Each thread has a core of its own and
//! one epoll instance (edge-triggered); one more thread accepts connections and deals them out in turn, so that every
//! core has equally many. An event costs one read and one write, however many requests it brings.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::{Builder, JoinHandle};

use mio::{Poll, Waker};
use socket2::{Domain, Socket, Type};

use super::canned_answer::{CannedAnswer, CannedUse};
use super::canned_thread::{CannedThread, WAKER};
use super::listener::BACKLOG;
use super::thread::pin;
use super::tls::{ServedCertificate, TlsConfig, TlsServer};

/// Longest request that it reads, in bytes.
pub const REQUEST_BYTES_MAX: usize = super::request::BODY_BYTES_MAX;

/// A running responder. Dropping it stops it.
pub struct CannedResponder {
    address: SocketAddr,
    /// `None` in plain text.
    certificate: Option<ServedCertificate>,
    listener: Socket,
    stop: Arc<AtomicBool>,
    wakers: Vec<Arc<Waker>>,
    threads: Vec<JoinHandle<CannedUse>>,
    acceptor: Option<JoinHandle<()>>,
}

impl CannedResponder {
    /// Listens on a free port of the loopback address, and serves from one thread for each of `cores`; encrypted with `tls`.
    ///
    /// # Errors
    /// When a socket, an epoll instance or a thread cannot be made.
    pub fn start(
        cores: &[Option<usize>],
        answers: Vec<CannedAnswer>,
        tls: Option<&TlsConfig>,
    ) -> io::Result<Self> {
        let tls = tls.map(TlsServer::new).transpose()?;
        let (tls, certificate) = tls.unzip();
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        // Accepted connections inherit it.
        listener.set_tcp_nodelay(true)?;
        listener.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let mut responder = Self {
            address: address.as_socket().expect("it listens on TCP"),
            certificate,
            listener,
            stop: Arc::default(),
            wakers: Vec::new(),
            threads: Vec::new(),
            acceptor: None,
        };
        let answers = Arc::new(answers);
        let mut dealt = Vec::new();
        for (index, &core) in cores.iter().enumerate() {
            let (send, accepted) = channel();
            let poll = Poll::new()?;
            let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
            dealt.push((send, waker.clone()));
            responder.wakers.push(waker);
            let thread = CannedThread::new(
                poll,
                answers.clone(),
                accepted,
                tls.as_ref().map(|server| server.config.clone()),
                responder.stop.clone(),
            );
            let body = move || {
                core.into_iter().for_each(pin);
                thread.serve()
            };
            let builder = Builder::new().name(format!("canned-{index}"));
            responder.threads.push(builder.spawn(body)?);
        }
        let listener: TcpListener = responder.listener.try_clone()?.into();
        let (stop, first_core) = (responder.stop.clone(), cores.first().copied().flatten());
        let body = move || {
            // It works when a connection is made: not on a core of the generator.
            first_core.into_iter().for_each(pin);
            let mut next = dealt.iter().cycle();
            while !stop.load(Ordering::Relaxed) {
                let Ok((stream, _)) = listener.accept() else {
                    // The listener was shut down, or no descriptor is free.
                    std::thread::yield_now();
                    continue;
                };
                if let Some((send, waker)) = next.next() {
                    // Both fail only when the thread has ended.
                    let _ = send.send(stream);
                    let _ = waker.wake();
                }
            }
        };
        responder.acceptor = Some(Builder::new().name("canned-accept".into()).spawn(body)?);
        Ok(responder)
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate that clients have to trust; `None` in plain text.
    pub fn certificate(&self) -> Option<&ServedCertificate> {
        self.certificate.as_ref()
    }

    /// Closes all connections and ends all threads; what each of them did.
    pub fn stop(mut self) -> Vec<CannedUse> {
        self.end()
    }

    fn end(&mut self) -> Vec<CannedUse> {
        self.stop.store(true, Ordering::Relaxed);
        // It wakes the thread that waits in accept.
        let _ = self.listener.shutdown(Shutdown::Both);
        for waker in &self.wakers {
            let _ = waker.wake();
        }
        let acceptor = self.acceptor.take().map(JoinHandle::join);
        if acceptor.is_some_and(|ended| ended.is_err()) {
            tracing::error!("the accepting thread of the canned responder has panicked");
        }
        let threads = self.threads.drain(..).map(JoinHandle::join);
        threads
            .map(|ended| {
                ended.unwrap_or_else(|_| {
                    tracing::error!("a thread of the canned responder has panicked");
                    CannedUse::default()
                })
            })
            .collect()
    }
}

impl Drop for CannedResponder {
    fn drop(&mut self) {
        self.end();
    }
}

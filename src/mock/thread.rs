//! A thread of the stand-in: one runtime, one task per connection.

use std::cell::Cell;
use std::io;
use std::net::{TcpListener, TcpStream as StdTcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use socket2::{SockRef, Socket};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Notify, watch};

use super::config::Runtime;
use super::connection::{Text, log_end, serve_connection};
use super::impaired_thread::ImpairedThread;
use super::impairments::Impairments;
use super::listener::Listener;
#[cfg(target_env = "musl")]
use super::no_ring as tokio_uring;
use super::ops_core::OpsCore;
use super::stream::Stream;
use super::tls::TlsServer;
use super::tls_stream::{TlsStream, carry};

/// Pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// A turn accepts one waiting connection more for each so many that the thread has: connections come as fast as they are
/// served, and a burst of a few is still dealt out evenly to several threads.
const ACCEPT_SHARE: usize = 8;

/// Whether this process may use io_uring, and this build of the stand-in can (see `no_ring`).
pub(super) fn has_uring() -> bool {
    cfg!(not(target_env = "musl")) && io_uring::IoUring::new(8).is_ok()
}

/// Keeps the calling thread on one core.
pub(super) fn pin(core: usize) {
    let mut set = CpuSet::new();
    if set.set(core).is_ok() && sched_setaffinity(Pid::from_raw(0), &set).is_err() {
        tracing::warn!("a thread of the stand-in could not be pinned to core {core}");
    }
}

/// How connections are served.
pub(super) struct Manner {
    /// For tokio only.
    pub impairments: Option<Arc<Impairments>>,
    /// `None` for plain text.
    pub tls: Option<Arc<TlsServer>>,
}

/// The body of a thread. It serves until `stopped` becomes true and the listening socket is shut down.
pub(super) fn serve(
    runtime: Runtime,
    core: Option<usize>,
    listener: Socket,
    service: OpsCore,
    manner: Manner,
    stopped: watch::Receiver<bool>,
) {
    core.into_iter().for_each(pin);
    let served = match runtime {
        Runtime::Tokio => serve_on_tokio(listener, service, manner, stopped),
        Runtime::Auto | Runtime::Uring => tokio_uring::start(async {
            serve_on_uring(listener, service, manner.tls, stopped).await
        }),
    };
    if let Err(error) = served {
        tracing::error!("a thread of the stand-in ended early: {error}");
    }
}

async fn serve_on_uring(
    listener: Socket,
    service: OpsCore,
    tls: Option<Arc<TlsServer>>,
    stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let waiting = Waiting::new(listener.try_clone()?.into())?;
    let listener = tokio_uring::net::TcpListener::from_std(listener.into());
    let (service, open) = (Rc::new(service), Rc::new(Open::default()));
    let start = |stream: tokio_uring::net::TcpStream| -> io::Result<()> {
        stream.set_nodelay(true)?;
        let stream = text_of(Stream::Uring(Rc::new(stream)), tls.as_ref())?;
        let task = serve_connection(stream, service.clone(), stopped.clone());
        let entered = open.clone().enter();
        tokio_uring::spawn(async move {
            task.await;
            drop(entered);
        });
        Ok(())
    };
    while !*stopped.borrow() {
        let Ok((stream, _)) = listener.accept().await else {
            // For example, no descriptor is free. An immediate retry would fail too.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        start(stream)?;
        for stream in waiting.accept(open.count.get() / ACCEPT_SHARE) {
            start(tokio_uring::net::TcpStream::from_std(stream))?;
        }
    }
    open.wait_until_none().await;
    Ok(())
}

/// The connections that wait for a thread. A ring hands out one of them in each turn: a turn that answers hundreds of
/// requests would leave the others waiting for minutes.
struct Waiting(TcpListener);

impl Waiting {
    fn new(listener: TcpListener) -> io::Result<Self> {
        // Another thread may be faster between the question and the accept, which then waits for a tick of the kernel.
        // The socket must not be non-blocking: its accepts on the ring would fail.
        SockRef::from(&listener).set_read_timeout(Some(Duration::from_micros(1)))?;
        Ok(Self(listener))
    }

    /// Those that are there, at most so many.
    fn accept(&self, most: usize) -> impl Iterator<Item = StdTcpStream> {
        (0..most)
            .map_while(|_| {
                let mut asked = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
                let is_there = poll(&mut asked, PollTimeout::ZERO) == Ok(1);
                is_there.then(|| self.0.accept().ok()).flatten()
            })
            .map(|(stream, _)| stream)
    }
}

fn serve_on_tokio(
    listener: Socket,
    service: OpsCore,
    manner: Manner,
    stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let Manner { impairments, tls } = manner;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let mut listener = Listener::new(listener)?;
        let (service, open) = (Rc::new(service), Rc::new(Open::default()));
        let impaired = impairments.map(ImpairedThread::start).transpose()?;
        if let Some(impaired) = &impaired {
            impaired.start_refusals(&listener, &service)?;
        }
        let mut stop = stopped.clone();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stopped| *stopped) => break,
            };
            let Ok(stream) = accepted else {
                if let Some(impaired) = &impaired {
                    tokio::select! {
                        () = impaired.wait_until_listening() => {}
                        _ = stop.wait_for(|stopped| *stopped) => break,
                    }
                    // tokio remembers that the socket was shut down. A new descriptor is a new socket to it.
                    let socket = listener.as_fd().try_clone_to_owned()?;
                    listener = Listener::new(socket.into())?;
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            if let Listener::Tcp(_) = listener {
                stream.set_nodelay(true)?;
            }
            let (service, stopped) = (service.clone(), stopped.clone());
            let (impaired, tls) = (impaired.clone(), tls.clone());
            let entered = open.clone().enter();
            tokio::task::spawn_local(async move {
                serve_stream(stream, service, (impaired, tls), stopped).await;
                drop(entered);
            });
        }
        open.wait_until_none().await;
        Ok(())
    })
}

/// A connection's stream as text.
fn text_of(stream: Stream, tls: Option<&Arc<TlsServer>>) -> io::Result<Text> {
    Ok(match tls {
        None => Text::Plain(stream),
        Some(server) => Text::Encrypted(Box::new(TlsStream::new(stream, server)?)),
    })
}

/// Serves a connection on tokio. Impairments are played on plain text: an encrypted connection is carried to one.
async fn serve_stream(
    stream: TcpStream,
    service: Rc<OpsCore>,
    manner: (Option<ImpairedThread>, Option<Arc<TlsServer>>),
    stopped: watch::Receiver<bool>,
) {
    let served = match manner {
        (None, tls) => match text_of(Stream::Tokio(stream), tls.as_ref()) {
            Ok(text) => {
                serve_connection(text, service, stopped).await;
                Ok(())
            }
            Err(error) => Err(error),
        },
        (Some(impaired), None) => {
            impaired
                .serve(stream, service, stopped, &Cell::new(false))
                .await;
            Ok(())
        }
        (Some(impaired), Some(tls)) => match pair() {
            Ok((plain, inner)) => {
                let is_reset = Rc::new(Cell::new(false));
                tokio::task::spawn_local(carry(stream, inner, tls, is_reset.clone()));
                impaired.serve(plain, service, stopped, &is_reset).await;
                Ok(())
            }
            Err(error) => Err(error),
        },
    };
    log_end(served);
}

/// Two ends of a connection within this process. The first has the type of a TCP stream, as in [`Listener::accept`].
fn pair() -> io::Result<(TcpStream, UnixStream)> {
    let (plain, inner) = std::os::unix::net::UnixStream::pair()?;
    plain.set_nonblocking(true)?;
    let plain = TcpStream::from_std(std::net::TcpStream::from(OwnedFd::from(plain)))?;
    inner.set_nonblocking(true)?;
    Ok((plain, UnixStream::from_std(inner)?))
}

/// Counts the open connections of this thread.
#[derive(Default)]
struct Open {
    count: Cell<usize>,
    none: Notify,
}

/// An open connection; dropped at its end.
struct Entered(Rc<Open>);

impl Open {
    fn enter(self: Rc<Self>) -> Entered {
        self.count.set(self.count.get() + 1);
        Entered(self)
    }

    async fn wait_until_none(&self) {
        while self.count.get() > 0 {
            self.none.notified().await;
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get() - 1);
        self.0.none.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_that_wait_are_accepted_without_waiting_for_more() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it listens");
        let waiting = Waiting::new(listener).expect("a listening socket takes a timeout");
        let clients = [(); 5].map(|()| StdTcpStream::connect(address).expect("it listens"));
        let counts = [3, 10, 10].map(|most| waiting.accept(most).count());
        assert_eq!(counts, [3, 2, 0]);
        drop(clients);
    }
}

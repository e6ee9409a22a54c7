//! A thread of the stand-in: one runtime, one task per connection.

use std::cell::Cell;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use socket2::Socket;
use tokio::sync::{Notify, watch};

use super::config::Runtime;
use super::connection::{Stream, serve_connection};
use super::impaired_thread::ImpairedThread;
use super::impairments::Impairments;
use super::listener::Listener;
#[cfg(target_env = "musl")]
use super::no_ring as tokio_uring;
use super::ops_core::OpsCore;

/// Pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

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

/// The body of a thread. It serves until `stopped` becomes true and the listening socket is shut down. Impairments are
/// for tokio only.
pub(super) fn serve(
    runtime: Runtime,
    core: Option<usize>,
    listener: Socket,
    service: OpsCore,
    impairments: Option<Arc<Impairments>>,
    stopped: watch::Receiver<bool>,
) {
    core.into_iter().for_each(pin);
    let served = match runtime {
        Runtime::Tokio => serve_on_tokio(listener, service, impairments, stopped),
        Runtime::Auto | Runtime::Uring => {
            tokio_uring::start(async { serve_on_uring(listener.into(), service, stopped).await })
        }
    };
    if let Err(error) = served {
        tracing::error!("a thread of the stand-in ended early: {error}");
    }
}

async fn serve_on_uring(
    listener: TcpListener,
    service: OpsCore,
    stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = tokio_uring::net::TcpListener::from_std(listener);
    let (service, open) = (Rc::new(service), Rc::new(Open::default()));
    while !*stopped.borrow() {
        let Ok((stream, _)) = listener.accept().await else {
            // For example, no descriptor is free. An immediate retry would fail too.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        stream.set_nodelay(true)?;
        let stream = Stream::Uring(Rc::new(stream));
        let task = serve_connection(stream, service.clone(), stopped.clone());
        let entered = open.clone().enter();
        tokio_uring::spawn(async move {
            task.await;
            drop(entered);
        });
    }
    open.wait_until_none().await;
    Ok(())
}

fn serve_on_tokio(
    listener: Socket,
    service: OpsCore,
    impairments: Option<Arc<Impairments>>,
    stopped: watch::Receiver<bool>,
) -> io::Result<()> {
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
            let impaired = impaired.clone();
            let entered = open.clone().enter();
            tokio::task::spawn_local(async move {
                match impaired {
                    None => serve_connection(Stream::Tokio(stream), service, stopped).await,
                    Some(impaired) => impaired.serve(stream, service, stopped).await,
                }
                drop(entered);
            });
        }
        open.wait_until_none().await;
        Ok(())
    })
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

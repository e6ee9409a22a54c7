//! Threads and connections: one runtime per thread, one task per connection.

use std::cell::Cell;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use socket2::Socket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, watch};

use super::Runtime;
use super::held::Holds;
use super::holding::Holding;
use super::ops_core::OpsCore;
use super::request;
use super::request::Read;

/// Pause after a connection could not be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(10);
pub(super) const READ_BYTES: usize = 16 * 1024;
/// Where its answers are put together.
const ANSWER_BYTES: usize = 1_024;
/// What the stand-in takes for each connection: it is read into one buffer, and taken apart in another.
pub const CONNECTION_BYTES: usize = 2 * READ_BYTES + ANSWER_BYTES;

/// Whether this process may have a ring.
pub(super) fn has_uring() -> bool {
    io_uring::IoUring::new(8).is_ok()
}

/// Serves until `stopped` becomes true and the listening socket is shut down. Answers are held back on tokio only.
pub(super) fn serve(
    runtime: Runtime,
    core: Option<usize>,
    listener: Socket,
    service: OpsCore,
    holds: Option<Arc<Holds>>,
    stopped: watch::Receiver<bool>,
) {
    if let Some(core) = core {
        let mut set = CpuSet::new();
        if set.set(core).is_ok() && sched_setaffinity(Pid::from_raw(0), &set).is_err() {
            tracing::warn!("a thread of the stand-in could not be pinned to core {core}");
        }
    }
    let served = match runtime {
        Runtime::Tokio => serve_on_tokio(listener, service, holds, stopped),
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
            // Out of descriptors, for example: that does not pass by asking again at once.
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        stream.set_nodelay(true)?;
        let connection = Stream::Uring(Rc::new(stream));
        let task = serve_connection(connection, service.clone(), stopped.clone());
        let entered = open.clone().enter();
        tokio_uring::spawn(async move {
            task.await;
            drop(entered);
        });
    }
    open.wait_until_none().await;
    Ok(())
}

/// What connections come in by, on tokio.
enum Listener {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl Listener {
    fn new(socket: Socket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket_fd = OwnedFd::from(socket);
        Ok(match socket2::SockRef::from(&socket_fd).local_addr()? {
            address if address.is_unix() => Self::Unix(tokio::net::UnixListener::from_std(
                UnixListener::from(socket_fd),
            )?),
            _ => Self::Tcp(tokio::net::TcpListener::from_std(TcpListener::from(
                socket_fd,
            ))?),
        })
    }

    /// The next connection. One of a Unix socket is given the type of the other kind: all that follows reads, writes and
    /// shuts down, which is the same for every stream.
    async fn accept(&self) -> io::Result<tokio::net::TcpStream> {
        match self {
            Self::Tcp(listener) => Ok(listener.accept().await?.0),
            Self::Unix(listener) => {
                let stream = listener.accept().await?.0.into_std()?;
                tokio::net::TcpStream::from_std(TcpStream::from(OwnedFd::from(stream)))
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

fn serve_on_tokio(
    listener: Socket,
    service: OpsCore,
    holds: Option<Arc<Holds>>,
    stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let mut listener = Listener::new(listener)?;
        let (service, open) = (Rc::new(service), Rc::new(Open::default()));
        let holding = holds.map(Holding::start).transpose()?;
        if let Some(holding) = &holding {
            holding.see_to_refusals(&listener, &service)?;
        }
        let mut stop = stopped.clone();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stopped| *stopped) => break,
            };
            let Ok(stream) = accepted else {
                if let Some(holding) = &holding {
                    tokio::select! {
                        () = holding.wait_until_listening() => {}
                        _ = stop.wait_for(|stopped| *stopped) => break,
                    }
                    // tokio remembers of a socket that it was shut down; a descriptor of its own is new to it.
                    let socket = listener.as_fd().try_clone_to_owned()?;
                    listener = Listener::new(socket.into())?;
                }
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            };
            if let Listener::Tcp(_) = listener {
                stream.set_nodelay(true)?;
            }
            let (service, stopped) = (service.clone(), stopped.clone());
            let holding = holding.clone();
            let entered = open.clone().enter();
            tokio::task::spawn_local(async move {
                match holding {
                    None => serve_connection(Stream::Tokio(stream), service, stopped).await,
                    Some(holding) => holding.serve(stream, service, stopped).await,
                }
                drop(entered);
            });
        }
        open.wait_until_none().await;
        Ok(())
    })
}

/// Connections of this thread that are being served.
#[derive(Default)]
struct Open {
    count: Cell<usize>,
    none: Notify,
}

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

enum Stream {
    Uring(Rc<tokio_uring::net::TcpStream>),
    Tokio(tokio::net::TcpStream),
}

impl Stream {
    /// Appends what has come to `buffer`; 0 at the end of the stream.
    async fn read(&mut self, scratch: &mut Vec<u8>, buffer: &mut BytesMut) -> io::Result<usize> {
        match self {
            Self::Uring(stream) => {
                let (result, filled) = stream.read(std::mem::take(scratch)).await;
                *scratch = filled;
                let count = result?;
                buffer.extend_from_slice(&scratch[..count]);
                Ok(count)
            }
            Self::Tokio(stream) => stream.read_buf(buffer).await,
        }
    }

    /// Writes all of `out` and gives it back empty.
    async fn write(&mut self, out: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut out = match self {
            Self::Uring(stream) => {
                let (result, out) = stream.write_all(out).await;
                result?;
                out
            }
            Self::Tokio(stream) => {
                stream.write_all(&out).await?;
                out
            }
        };
        out.clear();
        Ok(out)
    }
}

async fn serve_connection(
    mut stream: Stream,
    service: Rc<OpsCore>,
    mut stop: watch::Receiver<bool>,
) {
    service.counters.on_connection();
    // The read that waits in the ring when the end comes has to be ended from outside: the ring waits for it.
    let handle = match &stream {
        Stream::Uring(stream) => Some(stream.clone()),
        Stream::Tokio(_) => None,
    };
    let mut conversation = std::pin::pin!(converse(&mut stream, &service));
    let result = tokio::select! {
        result = &mut conversation => result,
        _ = stop.wait_for(|stopped| *stopped) => match handle {
            Some(stream) => {
                // It fails on a connection that the client has ended already.
                let _ = stream.shutdown(Shutdown::Both);
                conversation.await
            }
            None => Ok(()),
        },
    };
    log_end(result);
}

pub(super) fn log_end(result: io::Result<()>) {
    if let Err(error) = result {
        tracing::debug!("a connection to the stand-in ended: {error}");
    }
}

/// Requests in, answers out, until either side has had enough. Answers to requests that came together leave together.
async fn converse(stream: &mut Stream, service: &OpsCore) -> io::Result<()> {
    let mut scratch = Vec::with_capacity(READ_BYTES);
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    let mut out = Vec::with_capacity(ANSWER_BYTES);
    loop {
        if stream.read(&mut scratch, &mut buffer).await? == 0 {
            return Ok(());
        }
        let mut keep_alive = true;
        while keep_alive && !buffer.is_empty() {
            let began = Instant::now();
            match request::read(&buffer) {
                Read::Partial { expects_continue } => {
                    if expects_continue {
                        out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                    }
                    break;
                }
                Read::Bad(status) => {
                    let answered = service.refuse(status, began, &mut out);
                    service.counters.on_answer(answered);
                    keep_alive = false;
                }
                Read::Whole(request, length) => {
                    keep_alive = request.keep_alive;
                    let answered = service.answer(&request, began, &mut out);
                    service.counters.on_answer(answered);
                    buffer.advance(length);
                }
            }
        }
        if !out.is_empty() {
            out = stream.write(out).await?;
        }
        if !keep_alive {
            return Ok(());
        }
    }
}

//! The connection to the master: a thread with one ZeroMQ DEALER at a time. The crate does not reconnect a DEALER, and
//! a second connection under an identity is ignored by the master while it has the first: so each connection is a new
//! socket, made when the protocol asks for it, under the identity that it says.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};
use zeromq::util::PeerIdentity;
use zeromq::{DealerSocket, Socket, SocketOptions, SocketRecv, SocketSend, ZmqMessage};

/// Time for an attempt to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// Time between two attempts.
const PAUSE: Duration = Duration::from_millis(500);
/// Time that a message may wait for room in the socket.
const SEND: Duration = Duration::from_secs(5);
/// Time that the last messages have to leave before the socket is closed.
const LINGER: Duration = Duration::from_millis(100);

/// What has happened to the connection.
#[derive(Debug)]
pub enum Event {
    Connected,
    /// An attempt has failed, with the reason; the next one follows.
    Failed(String),
    Message(Vec<u8>),
    /// With the reason. Nothing more comes before the next [`Link::connect`].
    Lost(String),
}

enum Command {
    /// Under this identity.
    Connect(String),
    Send(Vec<u8>),
}

/// The way to the master. When it is dropped, the thread sends what it has and ends.
pub struct Link {
    commands: UnboundedSender<Command>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Link {
    /// Starts the thread. `on_event` is called on it.
    ///
    /// # Errors
    /// When the machine gives no thread or no descriptor.
    pub fn start(address: String, on_event: impl Fn(Event) + Send + 'static) -> Result<Self> {
        let (commands, received) = unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the connection to the master cannot be prepared")?;
        let body = move || runtime.block_on(serve(&address, received, &on_event));
        let thread = std::thread::Builder::new()
            .name("master".into())
            .spawn(body)
            .context("no thread for the connection to the master")?;
        Ok(Self {
            commands,
            thread: Some(thread),
        })
    }

    /// Connects, in place of the connection that there is. It is tried until it succeeds.
    pub fn connect(&self, identity: String) {
        // The thread ends with this value only.
        let _ = self.commands.send(Command::Connect(identity));
    }

    /// Sends a message; without a connection it is dropped.
    pub fn send(&self, bytes: Vec<u8>) {
        let _ = self.commands.send(Command::Send(bytes));
    }

    /// Sends what there is, and closes the connection.
    pub fn close(mut self) {
        let (nowhere, _) = unbounded_channel();
        self.commands = nowhere;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(address: &str, mut commands: UnboundedReceiver<Command>, on_event: &impl Fn(Event)) {
    let mut next = None;
    loop {
        let command = match next.take() {
            Some(identity) => Some(Command::Connect(identity)),
            None => commands.recv().await,
        };
        let identity = match command {
            None => return,
            Some(Command::Send(_)) => continue,
            Some(Command::Connect(identity)) => identity,
        };
        let opened = tokio::select! {
            socket = open(address, &identity) => socket,
            command = commands.recv() => match command {
                None => return,
                Some(Command::Send(_)) => { next = Some(identity); continue }
                Some(Command::Connect(newer)) => { next = Some(newer); continue }
            },
        };
        let mut socket = match opened {
            Ok(socket) => socket,
            Err(reason) => {
                on_event(Event::Failed(reason));
                next = Some(identity);
                sleep(PAUSE).await;
                continue;
            }
        };
        on_event(Event::Connected);
        match carry(&mut socket, &mut commands, on_event).await {
            Ok(newer) => match newer {
                Some(newer) => next = Some(newer),
                None => {
                    sleep(LINGER).await;
                    return;
                }
            },
            Err(error) => on_event(Event::Lost(format!("{error:#}"))),
        }
    }
}

/// A connection under an identity, or why it could not be made this time.
async fn open(address: &str, identity: &str) -> Result<DealerSocket, String> {
    let identity =
        PeerIdentity::try_from(identity.as_bytes()).map_err(|error| error.to_string())?;
    let mut options = SocketOptions::default();
    options.peer_identity(identity);
    let mut socket = DealerSocket::with_options(options);
    match timeout(CONNECT, socket.connect(address)).await {
        Ok(Ok(())) => Ok(socket),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", CONNECT.as_secs())),
    }
}

/// Carries messages both ways, until another connection is asked for (its identity), or none any more (`None`).
async fn carry(
    socket: &mut DealerSocket,
    commands: &mut UnboundedReceiver<Command>,
    on_event: &impl Fn(Event),
) -> Result<Option<String>> {
    loop {
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                None => return Ok(None),
                Some(Command::Connect(newer)) => return Ok(Some(newer)),
                Some(Command::Send(bytes)) => {
                    let sent = timeout(SEND, socket.send(ZmqMessage::from(bytes))).await;
                    sent.map_err(|_| anyhow!("it takes no messages"))??;
                }
            },
            message = socket.recv() => {
                let parts = message?.into_vec();
                if let Some(part) = parts.first() {
                    on_event(Event::Message(part.to_vec()));
                }
            }
        }
    }
}

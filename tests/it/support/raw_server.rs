//! A server whose answers and faults a script gives byte by byte: each connection is a thread that follows the script.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::SockRef;

pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Counts over all connections.
#[derive(Default)]
pub struct Seen {
    /// Whole requests. The trial connection before a run sends none.
    pub requests: AtomicUsize,
    pub connections: AtomicUsize,
    /// Calls of [`Peer::answer`].
    pub answers: AtomicUsize,
    /// Request lines.
    pub lines: Mutex<Vec<String>>,
    streams: Mutex<BTreeMap<usize, TcpStream>>,
    first: Mutex<Option<Instant>>,
}

pub struct RawServer {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl RawServer {
    /// Follows the script on each connection, on a free port of 127.0.0.1.
    pub fn start(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0", script).expect("loopback has a free port")
    }

    pub fn on(
        address: &str,
        script: impl Fn(&mut Peer) + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let (seen, stop) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
        let (all, stopped, script) = (seen.clone(), stop.clone(), Arc::new(script));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let stream = stream.expect("a client");
                stream.set_nodelay(true).expect("it is a TCP socket");
                let mut peer = Peer {
                    stream,
                    number: all.connections.fetch_add(1, Ordering::Relaxed),
                    seen: all.clone(),
                    rest: Vec::new(),
                };
                all.first
                    .lock()
                    .expect("no panic")
                    .get_or_insert(Instant::now());
                let clone = peer.stream.try_clone().expect("a descriptor is left");
                all.streams
                    .lock()
                    .expect("no panic")
                    .insert(peer.number, clone);
                let script = script.clone();
                // The thread ends with its script, at the latest when the client closes the connection.
                std::thread::spawn(move || {
                    script(&mut peer);
                    // The connection closes with its last descriptor.
                    peer.seen
                        .streams
                        .lock()
                        .expect("no panic")
                        .remove(&peer.number);
                });
            }
        });
        Ok(Self {
            address,
            seen,
            stop,
            thread: Some(thread),
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends the server like a killed process: its port refuses connections, and every connection is reset.
    pub fn kill(self) {
        let seen = self.seen.clone();
        drop(self);
        for stream in seen.streams.lock().expect("no panic").values() {
            let socket = SockRef::from(stream);
            socket.set_linger(Some(Duration::ZERO)).expect("it is TCP");
            // It fails if the client has closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Time of the first connection.
    pub fn first_came(&self) -> Option<Instant> {
        *self.seen.first.lock().expect("no panic")
    }

    pub fn requests(&self) -> u64 {
        self.seen.requests.load(Ordering::Relaxed) as u64
    }

    pub fn answers(&self) -> u64 {
        self.seen.answers.load(Ordering::Relaxed) as u64
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server did not panic");
        }
    }
}

/// The script of a server that answers every request with [`OK`].
pub fn answer_ok(peer: &mut Peer) {
    while peer.request().is_some() && peer.answer(OK) {}
}

/// A received request.
pub struct Request {
    /// From 0, over all connections.
    pub number: usize,
    pub text: String,
}

/// A client's connection.
pub struct Peer {
    pub stream: TcpStream,
    /// From 0, in order of connecting; 0 is the trial connection before a run.
    pub number: usize,
    pub seen: Arc<Seen>,
    rest: Vec<u8>,
}

impl Peer {
    /// The next whole request; `None` when the client has closed the connection.
    pub fn request(&mut self) -> Option<Request> {
        let (head_bytes, length) = self.head()?;
        while self.rest.len() < head_bytes + length {
            self.receive()?;
        }
        let whole: Vec<u8> = self.rest.drain(..head_bytes + length).collect();
        let text = String::from_utf8_lossy(&whole).into_owned();
        let line = text.lines().next().unwrap_or_default().to_owned();
        self.seen.lines.lock().expect("no panic").push(line);
        Some(Request {
            number: self.seen.requests.fetch_add(1, Ordering::Relaxed),
            text,
        })
    }

    /// Waits for a head, and returns its length and that of its body in bytes. Both stay unread.
    pub fn head(&mut self) -> Option<(usize, usize)> {
        loop {
            if let Some(at) = self.rest.windows(4).position(|end| end == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.rest[..at]);
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("Content-Length: "))
                    .map_or(0, |length| length.parse().expect("a number"));
                return Some((at + 4, length));
            }
            self.receive()?;
        }
    }

    fn receive(&mut self) -> Option<()> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) | Err(_) => None,
            Ok(count) => {
                self.rest.extend_from_slice(&buffer[..count]);
                Some(())
            }
        }
    }

    /// Sends bytes; false when the client has closed the connection.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends bytes and counts them as an answer.
    pub fn answer(&mut self, bytes: &[u8]) -> bool {
        self.seen.answers.fetch_add(1, Ordering::Relaxed);
        self.send(bytes)
    }

    pub fn send_in_pieces(&mut self, bytes: &[u8], piece_bytes: usize, pause: Duration) -> bool {
        bytes.chunks(piece_bytes).all(|piece| {
            let is_open = self.send(piece);
            self.pause(pause);
            is_open
        })
    }

    /// A pause in a script; never used to wait for an event.
    pub fn pause(&self, pause: Duration) {
        std::thread::sleep(pause);
    }

    /// Sends a FIN; the client may still send.
    pub fn fin(&self) {
        // It fails if the client has closed already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Makes the connection end with a reset.
    pub fn reset_at_end(&self) {
        let socket = SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).expect("it is TCP");
    }

    /// Reads and discards until the client closes the connection.
    pub fn wait_for_end(&mut self) {
        while self.receive().is_some() {
            self.rest.clear();
        }
    }
}

//! A small HTTPS server over loopback: threads that block, rustls, one answer for everything.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use opsurge_testbed::certificates::{Authority, Identity};
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

/// What a server does beside answering.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// It ends the connection with every answer, and says so.
    pub closes: bool,
    /// Its answers have no length: they last until the end of the connection.
    pub until_close: bool,
    /// It ends connections without announcing it.
    pub truncates: bool,
    /// Length of the body of its answers.
    pub body_bytes: usize,
    /// It changes its keys, and asks for new ones, ten times while a request arrives (TLS 1.3).
    pub changes_keys: bool,
}

/// Changes of keys in a request.
const KEY_CHANGES: usize = 10;

/// What a server has seen.
#[derive(Debug, Default)]
pub struct Seen {
    pub requests: AtomicUsize,
    pub body_bytes: AtomicUsize,
    pub full: AtomicUsize,
    pub resumed: AtomicUsize,
    /// Connections that the client ended, and announced it.
    pub goodbyes: AtomicUsize,
    /// Connections that the client ended without a word.
    pub cut: AtomicUsize,
    /// A name that a client has sent (SNI).
    pub name: Mutex<Option<String>>,
    is_over: AtomicBool,
}

impl Seen {
    pub fn count(&self, of: fn(&Self) -> &AtomicUsize) -> usize {
        of(self).load(Ordering::SeqCst)
    }
}

pub struct TlsServer {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
}

impl TlsServer {
    pub fn start(config: ServerConfig, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let seen = Arc::new(Seen::default());
        let (config, ours) = (Arc::new(config), seen.clone());
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if ours.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (config, seen) = (config.clone(), ours.clone());
                std::thread::spawn(move || serve(config, stream, manner, &seen));
            }
        });
        Self { address, seen }
    }

    /// The same on a Unix socket.
    pub fn start_unix(config: ServerConfig, path: &Path) -> Arc<Seen> {
        let listener = UnixListener::bind(path).expect("the path is free");
        let seen = Arc::new(Seen::default());
        let (config, ours) = (Arc::new(config), seen.clone());
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let (config, seen) = (config.clone(), ours.clone());
                std::thread::spawn(move || serve(config, stream, Manner::default(), &seen));
            }
        });
        seen
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.seen.is_over.store(true, Ordering::SeqCst);
        let _ = std::net::TcpStream::connect(self.address);
    }
}

/// A server of this authority for `localhost`, of both versions.
pub fn config(authority: &Authority) -> ServerConfig {
    config_of(authority, authority.certify(&["localhost", "127.0.0.1"]))
}

pub fn config_of(authority: &Authority, identity: Identity) -> ServerConfig {
    let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
    authority.server(identity, &versions, &["http/1.1"], false)
}

fn serve<S: Read + Write>(config: Arc<ServerConfig>, stream: S, manner: Manner, seen: &Seen) {
    let tls = ServerConnection::new(config).expect("a server");
    let mut stream = StreamOwned::new(tls, stream);
    let mut pending = Vec::new();
    let mut is_counted = false;
    let mut changes_left = KEY_CHANGES;
    let mut buffer = [0; 16_384];
    loop {
        let read = stream.read(&mut buffer);
        if let (false, Some(kind)) = (is_counted, stream.conn.handshake_kind())
            && !stream.conn.is_handshaking()
        {
            is_counted = true;
            let count = match kind {
                HandshakeKind::Resumed => &seen.resumed,
                _ => &seen.full,
            };
            count.fetch_add(1, Ordering::SeqCst);
            let name = stream.conn.server_name().map(str::to_owned);
            *seen.name.lock().expect("no thread panics with it") = name;
        }
        let bytes = match read {
            Ok(0) => {
                seen.goodbyes.fetch_add(1, Ordering::SeqCst);
                return;
            }
            Ok(bytes) => bytes,
            Err(error) => {
                // A connection that no handshake was begun on only tried whether there is a server.
                let is_cut = is_counted && error.kind() == ErrorKind::UnexpectedEof;
                seen.cut.fetch_add(usize::from(is_cut), Ordering::SeqCst);
                return;
            }
        };
        pending.extend_from_slice(&buffer[..bytes]);
        if manner.changes_keys && changes_left > 0 {
            changes_left -= 1;
            stream.conn.refresh_traffic_keys().expect("TLS 1.3");
            // The client may be gone.
            let _ = stream.flush();
        }
        while let Some(length) = whole(&pending) {
            pending.drain(..length.0 + length.1);
            changes_left = KEY_CHANGES;
            seen.requests.fetch_add(1, Ordering::SeqCst);
            seen.body_bytes.fetch_add(length.1, Ordering::SeqCst);
            if !answer(&mut stream, manner) {
                return;
            }
        }
    }
}

/// Answers a request; whether the connection goes on.
fn answer<S: Read + Write>(stream: &mut StreamOwned<ServerConnection, S>, manner: Manner) -> bool {
    let body = "x".repeat(manner.body_bytes);
    let fields = match manner {
        Manner {
            until_close: true, ..
        } => String::new(),
        Manner { closes: true, .. } => {
            format!("connection: close\r\ncontent-length: {}\r\n", body.len())
        }
        _ => format!("content-length: {}\r\n", body.len()),
    };
    let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n{body}");
    if stream.write_all(text.as_bytes()).is_err() {
        return false;
    }
    if manner.closes || manner.until_close {
        if !manner.truncates {
            stream.conn.send_close_notify();
        }
        let _ = stream.flush();
        return false;
    }
    true
}

/// The lengths of head and body of the first request, when it is whole.
fn whole(bytes: &[u8]) -> Option<(usize, usize)> {
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let body = length.map_or(0, |length| length.parse().expect("a number"));
    (bytes.len() >= head + body).then_some((head, body))
}

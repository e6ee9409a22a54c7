//! The client's end of TLS: whatever a server's records become on their way, no text comes out that the server did not
//! send, and the connection fails by a kind that is counted.

use std::io::{Read, Write};
use std::sync::{Arc, OnceLock};

use opsurge::io::TlsFailure;
use opsurge::wire::session::{CarryPool, Session, Sinks, State};
use opsurge::wire::{TlsClient, TlsSettings, Trust, Version};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, ServerConnection};

use crate::certificates::Authority;

const HOST: &str = "service.test";
/// What the server sends once the handshake is done, a record each.
const TEXTS: [&[u8]; 3] = [
    b"HTTP/1.1 200 OK\r\n",
    b"content-length: 5\r\n\r\n",
    b"hello",
];
/// Exchanges that a handshake takes at most.
const FLIGHTS_MAX: usize = 4;
/// Bytes that complete any record that is cut: the longest that a header can announce.
const FILLER_BYTES: usize = 70_000;

/// A client, and servers of each version that it trusts.
struct Scene {
    client: TlsClient,
    /// TLS 1.2 and 1.3, with long records and with short ones.
    servers: [Arc<ServerConfig>; 4],
}

fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(|| {
        let authority = Authority::default();
        let client = TlsClient::new(TlsSettings {
            server_name: HOST.to_owned(),
            trust: Trust::Roots(vec![authority.root()]),
            identity: None,
            resumes: false,
            version_max: Version::Tls13,
            ciphers: Vec::new(),
            key_log: None,
        });
        let server = |version, record_bytes_max| {
            let identity = authority.certify(&[HOST]);
            let mut server = authority.server(identity, &[version], &["http/1.1"], false);
            server.max_fragment_size = record_bytes_max;
            Arc::new(server)
        };
        Scene {
            client: client.expect("a client"),
            servers: [
                server(&TLS12, None),
                server(&TLS13, None),
                server(&TLS12, Some(40)),
                server(&TLS13, Some(40)),
            ],
        }
    })
}

/// Input: one byte for the server and the flight that is damaged, two for the pieces in which bytes arrive, then damages
/// of four bytes each; what is left is inserted by the last one.
pub fn wire(input: &[u8]) {
    let [mode, seed_low, seed_high, damages @ ..] = input else {
        return;
    };
    let server = &scene().servers[usize::from(mode % 4)];
    let flight = usize::from(mode >> 2) % (FLIGHTS_MAX + 1);
    let seed = u16::from_le_bytes([*seed_low, *seed_high]);
    let mut pair = Pair::new(server.clone(), seed);
    let mut is_damaged = false;
    for number in 0..FLIGHTS_MAX {
        let mut records = pair.answer();
        if number == flight && !records.is_empty() {
            is_damaged = damage(&mut records, damages);
        }
        pair.deliver(&records);
    }
    if !is_damaged {
        assert_eq!(pair.session.state(), State::Open);
    }
    if pair.session.state() == State::Open {
        let mut records = pair.texts();
        if flight == FLIGHTS_MAX {
            is_damaged = damage(&mut records, damages);
        }
        pair.deliver(&records);
        if !is_damaged {
            assert_eq!(pair.plain, TEXTS.concat());
        }
    }
    pair.end();
}

struct Pair {
    session: Session,
    pool: CarryPool,
    plain: Vec<u8>,
    records: Vec<u8>,
    server: ServerConnection,
    /// Draws the lengths of pieces: xorshift32 (Marsaglia 2003).
    word: u32,
}

impl Pair {
    fn new(server: Arc<ServerConfig>, seed: u16) -> Self {
        let mut pair = Self {
            session: Session::new(&scene().client).expect("a session"),
            pool: CarryPool::default(),
            plain: Vec::new(),
            records: Vec::new(),
            server: ServerConnection::new(server).expect("a server"),
            word: u32::from(seed) << 1 | 1,
        };
        pair.deliver_piece(&[]);
        pair
    }

    /// Gives the server what the client has to send; what the server has to send then.
    fn answer(&mut self) -> Vec<u8> {
        let records = std::mem::take(&mut self.records);
        let mut rest = &records[..];
        while !rest.is_empty() {
            self.server.read_tls(&mut rest).expect("memory is readable");
            // Its error is sent to the client as an alert.
            let _ = self.server.process_new_packets();
        }
        let mut text = Vec::new();
        // An error says that there is no more.
        let _ = self.server.reader().read_to_end(&mut text);
        assert!(text.is_empty(), "the client has sent no text");
        self.take_records()
    }

    fn take_records(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.server.wants_write() {
            let written = self.server.write_tls(&mut bytes);
            written.expect("memory is writable");
        }
        bytes
    }

    fn texts(&mut self) -> Vec<u8> {
        let mut records = Vec::new();
        for text in TEXTS {
            let written = self.server.writer().write_all(text);
            written.expect("room for text");
            records.extend(self.take_records());
        }
        records
    }

    /// Gives the client bytes in pieces, most of them short.
    fn deliver(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            self.word ^= self.word << 13;
            self.word ^= self.word >> 17;
            self.word ^= self.word << 5;
            let bytes_max = [40, 400, 5_000, 100_000][self.word as usize % 4];
            let length = rest.len().min((self.word >> 8) as usize % bytes_max + 1);
            let (piece, later) = rest.split_at(length);
            self.deliver_piece(piece);
            rest = later;
        }
    }

    fn deliver_piece(&mut self, piece: &[u8]) {
        if matches!(self.session.state(), State::Failed(_) | State::PeerClosed) {
            return;
        }
        let mut sinks = Sinks {
            plain: &mut self.plain,
            records: &mut self.records,
        };
        // As the driver does it: bytes of a handshake are kept until it is this connection's turn.
        if self.session.state() == State::InHandshake && self.word & 64 != 0 {
            self.session.carry(piece, &mut self.pool);
            self.session.take_carried(&mut self.pool, &mut sinks);
        } else {
            let bytes = &mut piece.to_vec();
            self.session.on_received(bytes, &mut self.pool, &mut sinks);
        }
        let sent = TEXTS.concat();
        assert!(
            sent.starts_with(&self.plain),
            "{}",
            self.plain.escape_ascii()
        );
    }

    /// Nonsense follows: a session that waited for the rest of a record fails now, by a kind that says something.
    fn end(mut self) {
        self.deliver(&[0; FILLER_BYTES]);
        let state = self.session.state();
        assert!(
            matches!(state, State::Failed(_) | State::PeerClosed),
            "{state:?}"
        );
        if let State::Failed(failure) = state {
            // Only a server that ends the connection itself cuts it.
            assert!(
                !matches!(failure, TlsFailure::CutInHandshake(_)),
                "{failure:?}"
            );
            assert!(!failure.to_string().is_empty());
        }
        let mut out = [0; 1024];
        let sealed = self.session.encrypt(b"text", &mut out);
        assert_eq!(
            sealed.is_err(),
            matches!(state, State::Failed(_)),
            "{state:?}"
        );
    }
}

/// Applies damages; whether anything has changed.
fn damage(records: &mut Vec<u8>, damages: &[u8]) -> bool {
    let before = records.clone();
    for damage in damages.chunks(4) {
        let &[kind, low, high, value] = damage else {
            break;
        };
        let at = usize::from(u16::from_le_bytes([low, high])) % records.len().max(1);
        match kind % 8 {
            _ if records.is_empty() => break,
            0 => records[at] = value,
            1 => records[at] ^= value,
            2 => records.truncate(at),
            3 => drop(records.remove(at)),
            4 => records.insert(at, value),
            5 => records.splice(at..at, ALERT).for_each(drop),
            6 => {
                let copy = records[at..].to_vec();
                records.extend(copy);
            }
            _ => {
                let rest = &damages[4.min(damages.len())..];
                records.splice(at..at, rest.iter().copied()).for_each(drop);
                break;
            }
        }
    }
    *records != before
}

/// A warning in plain text that the stream ends (RFC 8446 section 6.1).
const ALERT: [u8; 7] = [21, 3, 3, 0, 2, 1, 0];

pub fn examples() -> Vec<Vec<u8>> {
    [
        // Every server and flight, whole.
        &[0, 1, 0][..],
        &[5, 2, 0],
        &[2 | 2 << 2, 3, 0],
        &[3 | 4 << 2, 4, 0],
        // A byte of the server's hello, of its certificate, of its text.
        &[0, 5, 0, 0, 9, 0, 1],
        &[1, 6, 0, 1, 200, 0, 32],
        &[1 | 4 << 2, 7, 0, 1, 20, 0, 1],
        // A record is cut, a byte lost, a flight said twice.
        &[4 << 2, 8, 0, 2, 30, 0, 0],
        &[3, 9, 0, 3, 100, 0, 0],
        &[1 | 4 << 2, 10, 0, 6, 0, 0, 0],
        // An end in plain text, and an empty record.
        &[1, 11, 0, 5, 0, 0, 0],
        &[1 | 4 << 2, 12, 0, 7, 0, 0, 0, 23, 3, 3, 0, 0],
    ]
    .map(<[u8]>::to_vec)
    .to_vec()
}

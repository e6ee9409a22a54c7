//! Records that no library of TLS would make: encrypted by hand, with the keys of a server whose handshake is done.

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::{ConnectionTrafficSecrets, ProtocolVersion, ServerConnection};

/// Kinds of records (RFC 8446 section 5.1).
pub const ALERT: u8 = 21;
pub const HANDSHAKE: u8 = 22;
pub const TEXT: u8 = 23;

const HEADER_BYTES: usize = 5;
/// The part of a nonce of TLS 1.2 that a record carries (RFC 5288 section 3).
const EXPLICIT_BYTES: usize = 8;
const TAG_BYTES: usize = 16;

/// Both directions of a server's connection.
pub struct Forger {
    is_tls13: bool,
    out: Direction,
    incoming: Direction,
    /// Received bytes that are no whole record yet.
    pending: Vec<u8>,
}

struct Direction {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
}

impl Direction {
    fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> Self {
        let (algorithm, key, iv) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            _ => panic!("only AES-GCM can be forged"),
        };
        let key = UnboundKey::new(algorithm, key.as_ref()).expect("a key of this length");
        Self {
            key: LessSafeKey::new(key),
            iv: iv.as_ref().try_into().expect("12 bytes"),
            sequence,
        }
    }

    /// The nonce of TLS 1.3 for the next record (RFC 8446 section 5.3).
    fn nonce13(&self) -> Nonce {
        let mut nonce = self.iv;
        for (byte, more) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= more;
        }
        Nonce::assume_unique_for_key(nonce)
    }

    /// That of TLS 1.2, whose second part the record carries.
    fn nonce12(&self, explicit: &[u8]) -> Nonce {
        let nonce = [&self.iv[..4], explicit].concat();
        Nonce::try_assume_unique_for_key(&nonce).expect("12 bytes")
    }

    fn aad12(&self, kind: u8, length: usize) -> Vec<u8> {
        let header = [kind, 3, 3];
        let length = (length as u16).to_be_bytes();
        [&self.sequence.to_be_bytes()[..], &header, &length].concat()
    }
}

impl Forger {
    /// Takes the keys of a server whose settings allow it (`enable_secret_extraction`).
    ///
    /// # Panics
    /// When the handshake is not done, or records wait to be sent.
    pub fn of(server: ServerConnection) -> Self {
        let is_tls13 = server.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        let secrets = server.dangerous_extract_secrets().expect("it was allowed");
        Self {
            is_tls13,
            out: Direction::new(secrets.tx),
            incoming: Direction::new(secrets.rx),
            pending: Vec::new(),
        }
    }

    /// The server's next record, of this kind and content.
    pub fn record(&mut self, kind: u8, content: &[u8]) -> Vec<u8> {
        let out = &mut self.out;
        let record = if self.is_tls13 {
            let mut sealed = [content, &[kind]].concat();
            let length = (sealed.len() + TAG_BYTES) as u16;
            let header = [&[TEXT, 3, 3][..], &length.to_be_bytes()].concat();
            let done =
                out.key
                    .seal_in_place_append_tag(out.nonce13(), Aad::from(&header), &mut sealed);
            done.expect("it is short enough");
            [header, sealed].concat()
        } else {
            let mut sealed = content.to_vec();
            let explicit = out.sequence.to_be_bytes();
            let aad = Aad::from(out.aad12(kind, content.len()));
            let nonce = out.nonce12(&explicit);
            let done = out.key.seal_in_place_append_tag(nonce, aad, &mut sealed);
            done.expect("it is short enough");
            let length = (EXPLICIT_BYTES + sealed.len()) as u16;
            let header = [&[kind, 3, 3][..], &length.to_be_bytes()].concat();
            [&header[..], &explicit, &sealed].concat()
        };
        out.sequence += 1;
        record
    }

    /// Decrypts what the client has sent: kind and content of every whole record.
    ///
    /// # Panics
    /// When a record is not the client's next one.
    pub fn open(&mut self, bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        self.pending.extend_from_slice(bytes);
        let mut opened = Vec::new();
        while let Some(header) = self.pending.first_chunk::<HEADER_BYTES>() {
            let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
            if self.pending.len() < HEADER_BYTES + length {
                break;
            }
            let record: Vec<u8> = self.pending.drain(..HEADER_BYTES + length).collect();
            opened.push(self.open_record(&record));
        }
        opened
    }

    fn open_record(&mut self, record: &[u8]) -> (u8, Vec<u8>) {
        let (header, sealed) = record.split_at(HEADER_BYTES);
        let incoming = &mut self.incoming;
        let opened = if self.is_tls13 {
            let mut text = sealed.to_vec();
            let nonce = incoming.nonce13();
            let opened = incoming
                .key
                .open_in_place(nonce, Aad::from(header), &mut text);
            let opened = opened.expect("it is the client's next record");
            let (kind, content) = opened.split_last().expect("the last byte is its kind");
            (*kind, content.to_vec())
        } else {
            let (explicit, sealed) = sealed.split_at(EXPLICIT_BYTES);
            let mut text = sealed.to_vec();
            let aad = Aad::from(incoming.aad12(header[0], sealed.len() - TAG_BYTES));
            let nonce = incoming.nonce12(explicit);
            let opened = incoming.key.open_in_place(nonce, aad, &mut text);
            (
                header[0],
                opened.expect("it is the client's next record").to_vec(),
            )
        };
        incoming.sequence += 1;
        opened
    }
}

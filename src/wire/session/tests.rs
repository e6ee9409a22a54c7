//! Conversations in memory with a server of rustls: cut at every byte, damaged, ended early.

use std::io::{Read, Write};
use std::sync::Arc;

use opsurge_testbed::certificates::Authority;
use opsurge_testbed::forger::{Forger, TEXT};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion};

use super::*;
use crate::wire::client::{TlsSettings, Trust, Version};

type Versions<'v> = &'v [&'static SupportedProtocolVersion];

const EACH_VERSION: [Versions<'static>; 2] = [&[&TLS12], &[&TLS13]];
const HOST: &str = "service.test";

fn settings(roots: Vec<CertificateDer<'static>>) -> TlsSettings {
    TlsSettings {
        server_name: HOST.to_owned(),
        trust: Trust::Roots(roots),
        identity: None,
        resumes: false,
        version_max: Version::Tls13,
        ciphers: Vec::new(),
        key_log: None,
    }
}

/// Both ends of a connection, and what has come out of the client's.
struct Pair {
    session: Session,
    pool: CarryPool,
    plain: Vec<u8>,
    records: Vec<u8>,
    server: ServerConnection,
}

/// A client that trusts the authority, and the server's settings.
struct Scene {
    client: TlsClient,
    server: Arc<ServerConfig>,
}

impl Scene {
    fn new(versions: Versions<'_>) -> Self {
        Self::with(versions, |_| {}, |_| {})
    }

    fn with(
        versions: Versions<'_>,
        change: impl FnOnce(&mut TlsSettings),
        change_server: impl FnOnce(&mut ServerConfig),
    ) -> Self {
        let authority = Authority::default();
        let mut settings = settings(vec![authority.root()]);
        change(&mut settings);
        let identity = authority.certify(&[HOST]);
        let mut server = authority.server(identity, versions, &["http/1.1"], false);
        change_server(&mut server);
        Self {
            client: TlsClient::new(settings)
                .expect("a client")
                .for_connections(8),
            server: Arc::new(server),
        }
    }

    fn pair(&self) -> Pair {
        let server = ServerConnection::new(self.server.clone()).expect("a server");
        let mut pair = Pair {
            session: Session::new(&self.client).expect("a session"),
            pool: CarryPool::default(),
            plain: Vec::new(),
            records: Vec::new(),
            server,
        };
        pair.deliver(&[]);
        pair
    }

    /// A pair whose handshake is done.
    fn open_pair(&self) -> Pair {
        let mut pair = self.pair();
        pair.shake_hands();
        pair
    }
}

impl Pair {
    /// Gives the client these bytes.
    fn deliver(&mut self, bytes: &[u8]) {
        let mut sinks = Sinks {
            plain: &mut self.plain,
            records: &mut self.records,
        };
        self.session
            .on_received(&mut bytes.to_vec(), &mut self.pool, &mut sinks);
    }

    /// Gives the server what the client has to send.
    fn forward(&mut self) {
        let records = std::mem::take(&mut self.records);
        let mut rest = &records[..];
        while !rest.is_empty() {
            self.server.read_tls(&mut rest).expect("memory is readable");
            // Its error reaches the client as an alert.
            let _ = self.server.process_new_packets();
        }
    }

    /// What the server has to send.
    fn take_from_server(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.server.wants_write() {
            self.server
                .write_tls(&mut bytes)
                .expect("memory is writable");
        }
        bytes
    }

    /// One exchange of what both have to send, until neither has anything.
    fn shake_hands(&mut self) {
        for _ in 0..10 {
            self.forward();
            let bytes = self.take_from_server();
            self.deliver(&bytes);
        }
    }

    /// The server sends this text; the records.
    fn server_sends(&mut self, text: &[u8]) -> Vec<u8> {
        let mut records = Vec::new();
        for part in text.chunks(16_384) {
            self.server.writer().write_all(part).expect("room for text");
            records.extend(self.take_from_server());
        }
        records
    }

    /// The client sends this text; what the server reads.
    fn client_sends(&mut self, text: &[u8]) -> Vec<u8> {
        let mut out = vec![0; sealed_bytes_max(text.len()) + 256];
        let sealed = self.session.encrypt(text, &mut out).expect("it is open");
        self.records.extend_from_slice(&out[..sealed]);
        self.forward();
        let mut read = Vec::new();
        // An error says that there is no more.
        let _ = self.server.reader().read_to_end(&mut read);
        read
    }
}

#[test]
fn text_goes_both_ways_in_both_versions() {
    for versions in EACH_VERSION {
        let mut pair = Scene::new(versions).open_pair();
        assert_eq!(pair.session.state(), State::Open);
        assert_eq!(pair.session.is_resumed(), Some(false));
        assert_eq!(pair.client_sends(b"GET / HTTP/1.1"), b"GET / HTTP/1.1");
        let records = pair.server_sends(b"HTTP/1.1 200 OK");
        pair.deliver(&records);
        assert_eq!(pair.plain, b"HTTP/1.1 200 OK");
        assert!(pair.session.carried.is_empty());
    }
}

/// Every flight of the server arrives in two parts, cut at each of its bytes in turn.
#[test]
fn a_handshake_that_is_cut_anywhere_is_the_same() {
    for versions in EACH_VERSION {
        let scene = Scene::new(versions);
        let whole = {
            let mut pair = scene.pair();
            pair.forward();
            pair.take_from_server().len()
        };
        for cut in (1..whole).chain([whole - 1]) {
            let mut pair = scene.pair();
            for _ in 0..4 {
                pair.forward();
                let flight = pair.take_from_server();
                let at = cut.min(flight.len());
                pair.deliver(&flight[..at]);
                pair.deliver(&flight[at..]);
            }
            assert_eq!(pair.session.state(), State::Open, "cut at {cut}");
            assert!(pair.session.carried.is_empty(), "cut at {cut}");
        }
    }
}

#[test]
fn answers_that_are_cut_anywhere_are_the_same() {
    for versions in EACH_VERSION {
        let mut pair = Scene::new(versions).open_pair();
        let texts: [&[u8]; 3] = [b"first", b"s", b"the third of them"];
        let length = {
            let records: usize = texts.iter().map(|text| pair.server_sends(text).len()).sum();
            records
        };
        let mut pair = Scene::new(versions).open_pair();
        for cut in 0..=length {
            let records: Vec<u8> = texts
                .iter()
                .flat_map(|text| pair.server_sends(text))
                .collect();
            pair.plain.clear();
            pair.deliver(&records[..cut]);
            pair.deliver(&records[cut..]);
            assert_eq!(pair.plain, texts.concat(), "cut at {cut}");
        }
        let records: Vec<u8> = texts
            .iter()
            .flat_map(|text| pair.server_sends(text))
            .collect();
        pair.plain.clear();
        for byte in records {
            pair.deliver(&[byte]);
        }
        assert_eq!(pair.plain, texts.concat());
        assert!(pair.session.carried.is_empty());
    }
}

/// As a server with small records, and a driver with small buffers, do it.
#[test]
fn a_handshake_message_in_many_records_arrives_byte_by_byte_and_in_large_pieces() {
    for versions in EACH_VERSION {
        let small_records = |server: &mut ServerConfig| server.max_fragment_size = Some(32);
        let scene = Scene::with(versions, |_| {}, small_records);
        for size in [1, 7, 64, 500, 100_000] {
            let mut pair = scene.pair();
            for _ in 0..4 {
                pair.forward();
                for piece in pair.take_from_server().chunks(size) {
                    pair.deliver(piece);
                }
            }
            assert_eq!(pair.session.state(), State::Open, "pieces of {size}");
            let records = pair.server_sends(&[b'x'; 1_000]);
            for piece in records.chunks(size) {
                pair.deliver(piece);
            }
            assert_eq!(pair.plain, [b'x'; 1_000], "pieces of {size}");
            assert_eq!(pair.client_sends(b"more"), b"more");
        }
    }
}

#[test]
fn a_long_body_comes_through_buffers_of_any_size() {
    for versions in EACH_VERSION {
        let scene = Scene::new(versions);
        for size in [1_000, 4_096, 16_384, 65_536] {
            let mut pair = scene.open_pair();
            let text: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
            for piece in pair.server_sends(&text).chunks(size) {
                pair.deliver(piece);
            }
            assert!(pair.plain == text, "buffers of {size}");
        }
    }
}

#[test]
fn text_longer_than_a_record_is_sent_in_several() {
    for versions in EACH_VERSION {
        for length in [16_383, 16_384, 16_385, 100_000] {
            let mut pair = Scene::new(versions).open_pair();
            let text = vec![b'y'; length];
            let mut out = vec![0; sealed_bytes_max(length)];
            let sealed = pair.session.encrypt(&text, &mut out).expect("it has room");
            assert!(whole_bytes(&out[..sealed]) == sealed);
            let mut rest = &out[..sealed];
            let mut read = Vec::new();
            while !rest.is_empty() {
                pair.server.read_tls(&mut rest).expect("memory is readable");
                pair.server.process_new_packets().expect("good records");
                let _ = pair.server.reader().read_to_end(&mut read);
            }
            assert_eq!(read, text);
        }
    }
}

#[test]
fn the_servers_change_of_keys_is_answered_with_the_next_text() {
    let mut pair = Scene::new(&[&TLS13]).open_pair();
    for round in 0..3 {
        pair.server.refresh_traffic_keys().expect("TLS 1.3");
        let mut records = pair.server_sends(b"with new keys");
        let rest = records.split_off(10 * round);
        pair.plain.clear();
        pair.deliver(&records);
        pair.deliver(&rest);
        assert_eq!(pair.plain, b"with new keys");
        assert_eq!(pair.client_sends(b"with mine"), b"with mine");
    }
}

#[test]
fn tickets_within_a_body_disturb_nothing_and_are_used_later() {
    for versions in EACH_VERSION {
        let resume = |settings: &mut TlsSettings| settings.resumes = true;
        let half_rtt = |server: &mut ServerConfig| server.send_half_rtt_data = true;
        let scene = Scene::with(versions, resume, half_rtt);
        let mut pair = scene.pair();
        pair.forward();
        // TLS 1.3 allows the server to speak before it has the client's last flight, which its tickets follow.
        let mut flight = pair.take_from_server();
        if versions[0].version == TLS13.version {
            flight.extend(pair.server_sends(b"half a "));
        }
        pair.deliver(&flight);
        pair.forward();
        let tickets = pair.take_from_server();
        let rest = pair.server_sends(b"body");
        pair.deliver(&[tickets, rest].concat());
        assert_eq!(pair.session.is_resumed(), Some(false));
        assert!(pair.plain.ends_with(b"body"), "{:?}", pair.plain);
        let mut next = scene.open_pair();
        assert_eq!(next.session.is_resumed(), Some(true));
        assert_eq!(next.client_sends(b"again"), b"again");
    }
}

#[test]
fn sessions_are_not_resumed_unless_asked_for() {
    for versions in EACH_VERSION {
        let scene = Scene::new(versions);
        for _ in 0..2 {
            let pair = scene.open_pair();
            assert_eq!(pair.session.is_resumed(), Some(false));
        }
    }
}

#[test]
fn an_announced_end_is_told_from_a_failure() {
    for versions in EACH_VERSION {
        let mut pair = Scene::new(versions).open_pair();
        let mut records = pair.server_sends(b"bye");
        pair.server.send_close_notify();
        records.extend(pair.take_from_server());
        // Nothing counts that follows.
        records.extend_from_slice(b"garbage");
        for piece in records.chunks(3) {
            pair.deliver(piece);
        }
        assert_eq!(pair.plain, b"bye");
        assert_eq!(pair.session.state(), State::PeerClosed);
    }
}

#[test]
fn our_end_is_announced() {
    for versions in EACH_VERSION {
        let mut pair = Scene::new(versions).open_pair();
        let mut out = [0; 64];
        let length = pair.session.close(&mut out);
        let read = pair.server.read_tls(&mut &out[..length]);
        read.expect("memory is readable");
        let state = pair.server.process_new_packets().expect("a good record");
        assert!(state.peer_has_closed());
        let mut young = Scene::new(versions).pair();
        assert_eq!(young.session.close(&mut out), 0);
    }
}

/// Changes each byte of a record in turn; every change is found out.
#[test]
fn a_damaged_record_is_a_failure_and_no_text() {
    for versions in EACH_VERSION {
        let scene = Scene::new(versions);
        let length = scene.open_pair().server_sends(b"text").len();
        // The minor version of a record must not be looked at (RFC 8446 section 5.1).
        for at in (0..length).filter(|&at| at != 2) {
            let mut pair = scene.open_pair();
            let mut records = pair.server_sends(b"text");
            records[at] ^= 0x21;
            // A longer record than was sent is waited for.
            records.extend(pair.server_sends(&[0; 16_000]));
            pair.deliver(&records);
            let state = pair.session.state();
            let failed = matches!(
                state,
                State::Failed(TlsFailure::WrongMac | TlsFailure::NotTls | TlsFailure::Misbehaved)
            );
            let waits = state == State::Open && (3..5).contains(&at);
            assert!(failed || waits, "byte {at}: {state:?}");
            assert!(pair.plain.is_empty(), "byte {at}");
            if failed {
                // The server learns why.
                assert!(!pair.records.is_empty(), "byte {at}");
            }
        }
    }
}

#[test]
fn a_server_that_speaks_something_else_is_found_out_at_once() {
    for garbage in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"SSH-2.0-x\r\n",
        &[0; 5],
    ] {
        let mut pair = Scene::new(&[&TLS13]).pair();
        for byte in garbage {
            pair.deliver(&[*byte]);
        }
        assert_eq!(pair.session.state(), State::Failed(TlsFailure::NotTls));
    }
}

#[test]
fn certificates_fail_by_their_reason() {
    let check = |names: &[&str], years: (i32, i32), trusted: bool, expected| {
        let authority = Authority::default();
        let identity = authority.certify_for_years(names, years.0, years.1);
        let roots = match trusted {
            true => authority.root(),
            false => Authority::default().root(),
        };
        for trust in [Trust::Roots(vec![roots]), Trust::Anyone] {
            let is_insecure = matches!(trust, Trust::Anyone);
            let identity = rustls::sign::CertifiedKey::from_der(
                vec![identity.certificate.clone()],
                identity.key.clone_key(),
                &rustls::crypto::ring::default_provider(),
            )
            .expect("a certificate and its key");
            let spare = authority.certify(&[HOST]);
            let mut server = authority.server(spare, &[&TLS13], &[], false);
            server.cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(identity));
            let settings = TlsSettings {
                trust,
                ..settings(Vec::new())
            };
            let scene = Scene {
                client: TlsClient::new(settings).expect("a client"),
                server: Arc::new(server),
            };
            let state = scene.open_pair().session.state();
            match is_insecure {
                true => assert_eq!(state, State::Open),
                false => assert_eq!(state, expected),
            }
        }
    };
    let ever = (2000, 4000);
    check(&[HOST], ever, true, State::Open);
    for (names, years, trusted, failure) in [
        (HOST, (2000, 2001), true, TlsFailure::CertificateExpired),
        (HOST, (3000, 3001), true, TlsFailure::CertificateNotYetValid),
        ("other.test", ever, true, TlsFailure::CertificateName),
        (HOST, ever, false, TlsFailure::CertificateIssuer),
    ] {
        check(&[names], years, trusted, State::Failed(failure));
    }
}

#[test]
fn a_server_of_http_2_alone_is_refused_with_that_reason() {
    for versions in EACH_VERSION {
        let scene = Scene::with(
            versions,
            |_| {},
            |server| server.alpn_protocols = vec![b"h2".to_vec()],
        );
        let state = scene.open_pair().session.state();
        assert_eq!(state, State::Failed(TlsFailure::NoHttp1));
    }
}

#[test]
fn a_server_that_asks_for_a_certificate_gets_it_or_says_that_it_is_missing() {
    for versions in EACH_VERSION {
        let authority = Authority::default();
        let server = authority.server(authority.certify(&[HOST]), versions, &[], true);
        let server = Arc::new(server);
        let own = authority.certify(&["client.test"]);
        for identity in [None, Some((vec![own.certificate], own.key))] {
            let has_one = identity.is_some();
            let settings = TlsSettings {
                identity,
                ..settings(vec![authority.root()])
            };
            let scene = Scene {
                client: TlsClient::new(settings).expect("a client"),
                server: server.clone(),
            };
            match scene.open_pair().session.state() {
                State::Open => assert!(has_one),
                // certificate_required (116), or handshake_failure (40) before TLS 1.3.
                State::Failed(TlsFailure::Alert(116 | 40)) => assert!(!has_one),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn versions_and_ciphers_are_those_that_were_asked_for() {
    let only = |name: &'static str| move |it: &mut TlsSettings| it.ciphers = vec![name.to_owned()];
    let ciphers = [
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    ];
    for cipher in ciphers {
        let pair = Scene::with(&[&TLS12, &TLS13], only(cipher), |_| {}).open_pair();
        let suite = pair.server.negotiated_cipher_suite().expect("it is open");
        assert_eq!(name_of(&suite), cipher);
    }
    let old = |settings: &mut TlsSettings| settings.version_max = Version::Tls12;
    let pair = Scene::with(&[&TLS12, &TLS13], old, |_| {}).open_pair();
    assert_eq!(pair.server.protocol_version(), Some(TLS12.version));
    // A server with nothing in common says so.
    let pair = Scene::with(&[&TLS13], old, |_| {}).open_pair();
    assert_eq!(pair.session.state(), State::Failed(TlsFailure::Alert(70)));
}

#[test]
fn settings_that_do_not_fit_are_refused_with_their_reason() {
    let refused = |change: &dyn Fn(&mut TlsSettings)| {
        let mut settings = settings(vec![Authority::default().root()]);
        change(&mut settings);
        TlsClient::new(settings).expect_err("it does not fit")
    };
    let found = refused(&|it| it.ciphers = vec!["RC4".into()]);
    assert_eq!(found, super::super::Refused::Cipher("RC4".into()));
    let found = refused(&|it| it.server_name = "no name".into());
    assert_eq!(found, super::super::Refused::Name);
    let found = refused(&|it| it.trust = Trust::Roots(Vec::new()));
    assert_eq!(found, super::super::Refused::Roots);
    let found = refused(&|it| {
        it.version_max = Version::Tls12;
        it.ciphers = vec!["TLS_AES_128_GCM_SHA256".into()];
    });
    assert!(
        matches!(found, super::super::Refused::Suites(_)),
        "{found:?}"
    );
    let (one, other) = (Authority::default(), Authority::default());
    let (one, other) = (one.certify(&["a.test"]), other.certify(&["a.test"]));
    let key = other.key.secret_der().to_vec();
    let found = refused(&|it| {
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.clone()).into();
        it.identity = Some((vec![one.certificate.clone()], key));
    });
    assert!(
        matches!(found, super::super::Refused::Identity(_)),
        "{found:?}"
    );
    let name = ServerName::try_from("127.0.0.1").expect("an IP address is a name");
    let mut by_address = settings(vec![Authority::default().root()]);
    by_address.server_name = "127.0.0.1".into();
    assert_eq!(*TlsClient::new(by_address).expect("a client").name(), name);
}

/// Whatever a server sends, the session neither panics nor grows.
#[test]
fn garbage_in_any_place_ends_in_a_failure_or_in_waiting() {
    let scene = Scene::new(&[&TLS12, &TLS13]);
    let mut word = 0x9e37_79b9_7f4a_7c15u64;
    let mut draw = move |below: usize| {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        (word % below as u64) as usize
    };
    for _ in 0..300 {
        let mut pair = scene.pair();
        pair.forward();
        let mut flight = pair.take_from_server();
        for _ in 0..1 + draw(3) {
            match (draw(3), draw(flight.len())) {
                (0, at) => flight[at] = draw(256) as u8,
                (1, at) => flight.truncate(at.max(1)),
                (_, at) => {
                    let copy = flight[at..].to_vec();
                    flight.extend(copy);
                }
            }
        }
        for piece in flight.chunks(1 + draw(700)) {
            pair.deliver(piece);
        }
        assert!(pair.session.carried.len() <= CARRIED_BYTES_MAX);
        assert!(pair.plain.is_empty());
    }
}

/// An open pair, and the hand that forges its server's records.
fn forged() -> (Pair, Forger) {
    let cipher = |it: &mut TlsSettings| it.ciphers = vec!["TLS_AES_256_GCM_SHA384".into()];
    let allow = |server: &mut ServerConfig| server.enable_secret_extraction = true;
    let scene = Scene::with(&[&TLS13], cipher, allow);
    let mut pair = scene.open_pair();
    let spare = ServerConnection::new(scene.server.clone()).expect("a server");
    let server = std::mem::replace(&mut pair.server, spare);
    (pair, Forger::of(server))
}

#[test]
fn records_without_text_are_passed_over_up_to_a_bound() {
    let (mut pair, mut forger) = forged();
    for round in 0..3 {
        for _ in 0..30 {
            let empty = forger.record(TEXT, b"");
            pair.deliver(&empty);
        }
        assert_eq!(pair.session.state(), State::Open, "round {round}");
        let text = forger.record(TEXT, b"text");
        pair.deliver(&text);
        assert_eq!(pair.plain, b"text");
        pair.plain.clear();
    }
    for _ in 0..100 {
        let empty = forger.record(TEXT, b"");
        pair.deliver(&empty);
    }
    assert_eq!(pair.session.state(), State::Failed(TlsFailure::Misbehaved));
}

#[test]
fn a_record_of_16_kib_is_taken_and_one_byte_more_is_refused() {
    for (length, expected) in [
        (RECORD_TEXT_MAX, State::Open),
        (RECORD_TEXT_MAX + 1, State::Failed(TlsFailure::Misbehaved)),
    ] {
        let (mut pair, mut forger) = forged();
        let record = forger.record(TEXT, &vec![b'x'; length]);
        for piece in record.chunks(4_096) {
            pair.deliver(piece);
        }
        assert_eq!(pair.session.state(), expected);
        let is_taken = expected == State::Open;
        assert_eq!(pair.plain.len(), if is_taken { length } else { 0 });
    }
}

#[test]
fn messages_that_are_forbidden_after_the_handshake_end_the_session() {
    // A client hello, a renegotiation request of older versions, a record of an unknown kind.
    for (kind, content) in [(22, &[1, 0, 0, 0][..]), (22, &[0, 0, 0, 0]), (99, b"x")] {
        let (mut pair, mut forger) = forged();
        let record = forger.record(kind, content);
        pair.deliver(&record);
        let state = pair.session.state();
        assert!(
            matches!(state, State::Failed(_)),
            "{kind} {content:?}: {state:?}"
        );
        assert!(!pair.records.is_empty(), "the server learns why");
    }
}

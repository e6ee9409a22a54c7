//! Secrets of TLS: the keys of every connection, as the server knows them, its tickets and the client's own key are in no
//! output and no file, at the highest log level. Only `--keylog` writes keys.

use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opsurge_testbed::certificates::Authority;
use rustls::crypto::ring::Ticketer;
use rustls::server::ProducesTickets;
use rustls::{KeyLog, ServerConfig};
use tempfile::TempDir;

use crate::support::binary::opsurge;
use crate::support::tls_server::{Manner, TlsServer};

/// What the server has agreed on with its clients.
#[derive(Debug, Default)]
struct Captured {
    secrets: Mutex<Vec<Vec<u8>>>,
    tickets: Mutex<Vec<Vec<u8>>>,
}

impl KeyLog for Captured {
    fn log(&self, label: &str, _client_random: &[u8], secret: &[u8]) {
        let mut secrets = self.secrets.lock().expect("no panic");
        // The client sends no early data, and makes no key for it.
        if label != "CLIENT_EARLY_TRAFFIC_SECRET" {
            secrets.push(secret.to_vec());
        }
    }
}

/// Keeps a copy of every ticket.
#[derive(Debug)]
struct Tickets(Arc<dyn ProducesTickets>, Arc<Captured>);

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.0.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let ticket = self.0.encrypt(plain)?;
        self.1
            .tickets
            .lock()
            .expect("no panic")
            .push(ticket.clone());
        Some(ticket)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.0.decrypt(cipher)
    }
}

/// A server that asks for certificates, and a folder with the client's.
struct Scene {
    captured: Arc<Captured>,
    config: ServerConfig,
    key: Vec<u8>,
    inputs: TempDir,
    outputs: TempDir,
}

impl Scene {
    fn new() -> Self {
        let authority = Authority::default();
        let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
        let identity = authority.certify(&["localhost"]);
        let mut config = authority.server(identity, &versions, &["http/1.1"], true);
        let captured = Arc::new(Captured::default());
        let ticketer = Ticketer::new().expect("keys for tickets");
        config.ticketer = Arc::new(Tickets(ticketer, captured.clone()));
        config.key_log = captured.clone();
        let inputs = tempfile::tempdir().expect("a folder");
        let own = authority.certify(&["client.test"]);
        for (name, text) in [
            ("ca.pem", authority.root_pem()),
            ("cert.pem", &own.certificate_pem),
            ("key.pem", &own.key_pem),
        ] {
            std::fs::write(inputs.path().join(name), text).expect("it can be written");
        }
        Self {
            captured,
            config,
            key: own.key.secret_der().to_vec(),
            inputs,
            outputs: tempfile::tempdir().expect("a folder"),
        }
    }

    fn run(&self, manner: Manner, version: &str, more: &[&str]) -> String {
        let server = TlsServer::start(self.config.clone(), manner);
        let url = format!("https://localhost:{}/", server.port());
        let output = |name: &str| self.outputs.path().join(name);
        let input = |name: &str| self.inputs.path().join(name);
        let ran = opsurge(&["run", "--headless", "--get", &url, "-u", "2"])
            .args(["--iterations", "12", "--tls-max", version])
            .args(["--log-level", "trace", "--csv-full-history"])
            .arg("--cacert")
            .arg(input("ca.pem"))
            .arg("--cert")
            .arg(input("cert.pem"))
            .arg("--key")
            .arg(input("key.pem"))
            .arg("--json")
            .arg(output("r.json"))
            .arg("--html")
            .arg(output("r.html"))
            .arg("--csv")
            .arg(output("r"))
            .arg("--hdr")
            .arg(output("r.hlog"))
            .args(more)
            .output()
            .expect("the binary was built");
        let printed = [ran.stdout, ran.stderr].concat();
        String::from_utf8_lossy(&printed).into_owned()
    }

    /// What no output may contain, in the forms in which programs write bytes.
    fn needles(&self) -> Vec<String> {
        let secrets = self.captured.secrets.lock().expect("no panic").clone();
        let tickets = self.captured.tickets.lock().expect("no panic").clone();
        assert!(
            secrets.len() > 10 && tickets.len() > 1,
            "nothing to look for"
        );
        // Every key begins with the same bytes that say what kind it is; its secret number begins at byte 36.
        let own = self.key[36..68].to_vec();
        // A search of every file for each takes seconds: some of the run stand for all, the first handshake's among them.
        let some = |all: Vec<Vec<u8>>| all.into_iter().step_by(7);
        let all = some(secrets).chain(some(tickets)).chain([own]);
        all.flat_map(|bytes| forms(&bytes)).collect()
    }
}

fn forms(secret: &[u8]) -> [String; 5] {
    let part = &secret[..16];
    let hex = hex(part);
    let list = format!("{part:?}");
    // Three bytes are four letters: 15 bytes do not depend on what follows.
    [
        as_text(part),
        hex.to_uppercase(),
        hex,
        list.trim_matches(['[', ']']).to_owned(),
        STANDARD.encode(&secret[..15]),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every byte as the character of the same number: the search of texts is compiled with optimisation, this one is not.
fn as_text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn files(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let read = |path: std::path::PathBuf| {
        let bytes = std::fs::read(&path).expect("it can be read");
        (path.display().to_string(), as_text(&bytes))
    };
    paths.map(read).collect()
}

#[test]
fn no_key_and_no_ticket_is_in_any_output() {
    for version in ["1.2", "1.3"] {
        for manner in [
            // Sessions are resumed, with tickets.
            Manner {
                closes: true,
                body_bytes: 100,
                ..Manner::default()
            },
            // Every request fails, and says how.
            Manner {
                until_close: true,
                truncates: true,
                body_bytes: 100,
                ..Manner::default()
            },
        ] {
            let scene = Scene::new();
            let printed = scene.run(manner, version, &[]);
            let written = files(scene.outputs.path());
            assert!(written.len() > 4, "{printed}");
            let needles = scene.needles();
            for needle in &needles {
                assert!(!printed.contains(needle), "{needle:?}: {printed}");
                for (name, text) in &written {
                    assert!(!text.contains(needle), "{name} has {needle:?}");
                }
            }
        }
    }
}

/// The search finds what is there: with `--keylog`, the same keys.
#[test]
fn keys_are_in_the_file_of_keylog_and_there_alone() {
    let scene = Scene::new();
    let keys = scene.outputs.path().join("keys");
    let keys = keys.to_str().expect("UTF-8");
    let manner = Manner {
        closes: true,
        ..Manner::default()
    };
    scene.run(manner, "1.3", &["--keylog", keys]);
    let log = std::fs::read_to_string(keys).expect("it was written");
    let secrets = scene.captured.secrets.lock().expect("no panic").clone();
    // The server's secrets are the client's.
    assert!(secrets.len() > 40);
    for secret in &secrets {
        assert!(log.contains(&hex(secret)));
    }
    for (name, text) in files(scene.outputs.path()) {
        let shows = secrets.iter().any(|secret| text.contains(&hex(secret)));
        assert_eq!(shows, name.ends_with("/keys"), "{name}");
    }
}

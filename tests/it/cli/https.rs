//! HTTPS with the real binary, over loopback, on each driver.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use opsurge::record::schema::Record;
use opsurge_testbed::certificates::Authority;
use rustls::ServerConfig;
use tempfile::TempDir;

use crate::support::binary::{check_sums, opsurge, text};
use crate::support::tls_server::{Manner, TlsServer, config, config_of};

const EACH_IO: [&str; 2] = ["uring", "epoll"];

/// An authority, its root in a file, and a folder for more.
struct Scene {
    authority: Authority,
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        let scene = Self {
            authority: Authority::default(),
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        scene.file("ca.pem", scene.authority.root_pem().as_bytes());
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.path(name);
        fs::write(&path, content).expect("the file can be written");
        path.to_str().expect("UTF-8").to_owned()
    }

    fn ca(&self) -> String {
        self.path("ca.pem").to_str().expect("UTF-8").to_owned()
    }

    fn serve(&self, manner: Manner) -> TlsServer {
        TlsServer::start(config(&self.authority), manner)
    }

    /// Runs a GET of this URL, with a record.
    fn run(&self, url: &str, more: &[&str]) -> Output {
        opsurge(&["run", "--get", url, "--headless", "--watch", "none"])
            .args(more)
            .arg("--json")
            .arg(self.path("run.json"))
            .output()
            .expect("the binary was built")
    }

    fn record(&self) -> Record {
        read(&self.path("run.json"))
    }
}

fn read(path: &Path) -> Record {
    let text = fs::read_to_string(path).expect("the record was written");
    Record::parse(&text).expect("it is a record")
}

fn url(server: &TlsServer) -> String {
    format!("https://localhost:{}/", server.port())
}

#[test]
fn a_run_over_https_counts_what_the_server_counts() {
    for io in EACH_IO {
        for version in ["1.2", "1.3"] {
            let scene = Scene::new();
            let server = scene.serve(Manner {
                body_bytes: 20_000,
                ..Manner::default()
            });
            let flags = ["-u", "4", "--iterations", "200", "--io", io];
            let tls = ["--cacert", &scene.ca(), "--tls-max", version];
            let output = scene.run(&url(&server), &[&flags[..], &tls].concat());
            assert_eq!(output.status.code(), Some(0), "{io}: {}", text(&output));
            let record = scene.record();
            assert_eq!(record.totals.requests, 200);
            assert_eq!(server.seen.count(|seen| &seen.requests), 200);
            assert_eq!(record.steps[0].body_bytes, 200 * 20_000);
            let tls = record.tls.expect("it was encrypted");
            assert_eq!(tls.version, format!("TLS {version}"));
            assert!(!tls.insecure && tls.resume);
            assert_eq!(tls.server_name, "localhost");
            let handshakes = tls.full_us.count + tls.resumed_us.count;
            assert_eq!(handshakes, record.totals.connections_opened);
            // The handshake before the load is not one of the run.
            let seen =
                server.seen.count(|seen| &seen.full) + server.seen.count(|seen| &seen.resumed);
            assert_eq!(handshakes + 1, seen as u64);
            assert_eq!(
                server.seen.name.lock().expect("no panic").as_deref(),
                Some("localhost")
            );
        }
    }
}

#[test]
fn connections_end_with_an_announcement() {
    for io in EACH_IO {
        let scene = Scene::new();
        let server = scene.serve(Manner::default());
        let flags = ["-u", "8", "--iterations", "40", "--io", io];
        let output = scene.run(
            &url(&server),
            &[&flags[..], &["--cacert", &scene.ca()]].concat(),
        );
        assert_eq!(output.status.code(), Some(0), "{io}: {}", text(&output));
        let ended = || {
            let seen = &server.seen;
            seen.count(|seen| &seen.goodbyes) + seen.count(|seen| &seen.cut)
        };
        // The server's threads notice the end a moment later.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while ended() < 9 && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert_eq!(
            server.seen.count(|seen| &seen.cut),
            0,
            "{io}: {:?}",
            server.seen
        );
    }
}

#[test]
fn sessions_are_resumed_when_asked_for_and_counted_apart() {
    for io in EACH_IO {
        for version in ["1.2", "1.3"] {
            for resume in ["on", "off"] {
                let scene = Scene::new();
                let server = scene.serve(Manner {
                    closes: true,
                    body_bytes: 10,
                    ..Manner::default()
                });
                let flags = ["-u", "2", "--iterations", "60", "--io", io];
                let tls = [
                    "--cacert",
                    &scene.ca(),
                    "--tls-max",
                    version,
                    "--tls-resume",
                    resume,
                ];
                let output = scene.run(&url(&server), &[&flags[..], &tls].concat());
                assert_eq!(output.status.code(), Some(0), "{io}: {}", text(&output));
                let tls = scene.record().tls.expect("it was encrypted");
                assert_eq!(tls.resume, resume == "on");
                let resumed = server.seen.count(|seen| &seen.resumed) as u64;
                assert_eq!(tls.resumed_us.count, resumed, "{io} {version} {resume}");
                match resume {
                    "on" => assert!(tls.resumed_us.count >= 50, "{io} {version}: {tls:?}"),
                    _ => assert_eq!(tls.resumed_us.count, 0),
                }
                assert_eq!(tls.full_us.count + tls.resumed_us.count, 60);
            }
        }
    }
}

#[test]
fn a_body_until_close_needs_an_announced_end() {
    for io in EACH_IO {
        for truncates in [false, true] {
            let scene = Scene::new();
            let server = scene.serve(Manner {
                until_close: true,
                truncates,
                body_bytes: 5_000,
                ..Manner::default()
            });
            let flags = ["-u", "2", "--iterations", "10", "--io", io];
            let output = scene.run(
                &url(&server),
                &[&flags[..], &["--cacert", &scene.ca()]].concat(),
            );
            let record = scene.record();
            assert_eq!(record.totals.requests, 10);
            match truncates {
                false => assert_eq!(output.status.code(), Some(0), "{io}: {}", text(&output)),
                true => {
                    assert_eq!(record.totals.failures, 10, "{io}");
                    assert_eq!(record.errors[0].kind, "incomplete", "{io}");
                }
            }
        }
    }
}

#[test]
fn large_bodies_and_pipelines_are_encrypted_on_each_connection() {
    for io in EACH_IO {
        let scene = Scene::new();
        let server = scene.serve(Manner::default());
        let body = scene.file("body", &vec![b'b'; 1_000_000]);
        let at = format!("@{body}");
        let output = opsurge(&["run", "--headless", "--watch", "none", "--io", io])
            .args([
                "--url",
                &url(&server),
                "--body",
                &at,
                "-u",
                "4",
                "--iterations",
                "20",
            ])
            .args([
                "--connections",
                "2",
                "--pipeline",
                "2",
                "--cacert",
                &scene.ca(),
                "--json",
            ])
            .arg(scene.path("run.json"))
            .output()
            .expect("the binary was built");
        assert_eq!(output.status.code(), Some(0), "{io}: {}", text(&output));
        assert_eq!(server.seen.count(|seen| &seen.body_bytes), 20_000_000);
        check_sums(&scene.record());
    }
}

/// The answer to a change of keys goes out between the parts of a body of which a part is under way.
#[test]
fn keys_may_change_while_a_body_is_being_sent() {
    for io in EACH_IO {
        let scene = Scene::new();
        let server = scene.serve(Manner {
            changes_keys: true,
            ..Manner::default()
        });
        let body = scene.file("body", &vec![b'k'; 500_000]);
        let (at, url) = (format!("@{body}"), url(&server));
        let output = opsurge(&["run", "--headless", "--watch", "none", "--io", io])
            .args(["--url", &url, "--body", &at, "-u", "2"])
            .args(["--iterations", "6", "--cacert", &scene.ca(), "--json"])
            .arg(scene.path("run.json"))
            .output()
            .expect("the binary was built");
        assert_eq!(output.status.code(), Some(0), "{io}: {}", text(&output));
        assert_eq!(server.seen.count(|seen| &seen.body_bytes), 3_000_000);
        assert_eq!(server.seen.count(|seen| &seen.cut), 0);
        check_sums(&scene.record());
    }
}

/// Everything that makes a run impossible is said before it, with the cure.
fn check_refused(scene: &Scene, config: ServerConfig, flags: &[&str], parts: &[&str]) {
    let server = TlsServer::start(config, Manner::default());
    let output = scene.run(&url(&server), &[&["-t", "1s"], flags].concat());
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(3), "{printed}");
    for part in parts {
        assert!(printed.contains(part), "{printed}");
    }
    assert_eq!(server.seen.count(|seen| &seen.requests), 0);
}

#[test]
fn what_makes_a_run_impossible_is_said_before_it() {
    let scene = Scene::new();
    let ours = ["--cacert", &scene.ca()];
    let good = || config(&scene.authority);
    check_refused(
        &scene,
        good(),
        &[],
        &["no trusted root has issued", "--cacert"],
    );
    let other = Authority::default();
    check_refused(
        &scene,
        config(&other),
        &ours,
        &["no trusted root has issued"],
    );
    let names = [&ours[..], &["--server-name", "other.test"]].concat();
    check_refused(
        &scene,
        good(),
        &names,
        &["for another name", "--server-name"],
    );
    let expired = scene
        .authority
        .certify_for_years(&["localhost"], 2000, 2001);
    let expired = config_of(&scene.authority, expired);
    check_refused(&scene, expired, &ours, &["has expired", "clock"]);
    let mut h2 = good();
    h2.alpn_protocols = vec![b"h2".to_vec()];
    check_refused(
        &scene,
        h2,
        &ours,
        &["offers no HTTP/1.1 (ALPN)", "HTTP/2 alone"],
    );
    let only_old = [&ours[..], &["--tls-max", "1.2"]].concat();
    let versions = [&rustls::version::TLS13];
    let identity = scene.authority.certify(&["localhost"]);
    let new = scene.authority.server(identity, &versions, &[], false);
    check_refused(&scene, new, &only_old, &["the alert protocol_version (70)"]);
}

#[test]
fn a_plain_server_is_told_from_a_tls_server() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut buffer = [0; 1024];
            let _ = std::io::Read::read(&mut stream, &mut buffer);
            let answer = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n";
            let _ = std::io::Write::write_all(&mut stream, answer);
        }
    });
    let scene = Scene::new();
    let output = scene.run(
        &format!("https://127.0.0.1:{port}/"),
        &["-t", "1s", "--insecure"],
    );
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(3), "{printed}");
    assert!(
        printed.contains("is not TLS") && printed.contains("https port"),
        "{printed}"
    );
}

#[test]
fn the_time_of_many_handshakes_is_said_before_the_run_and_compared_after_it() {
    let scene = Scene::new();
    let server = scene.serve(Manner::default());
    let ca = scene.ca();
    let flags = [
        "-u",
        "100",
        "-r",
        "1e6",
        "--iterations",
        "100",
        "--cacert",
        &ca,
    ];
    let output = scene.run(&url(&server), &flags);
    // The report has lines of 80 columns.
    let said: Vec<String> = text(&output)
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    let said = said.join(" ");
    assert_eq!(output.status.code(), Some(0), "{said}");
    for part in [
        "handshakes: 100 connections in about ",
        " when all are full (",
        " at the server); resumed: ",
        "100 connections shook hands in ",
        " were expected",
    ] {
        assert!(said.contains(part), "{part} is missing: {said}");
    }
    let tls = scene.record().tls.expect("it was encrypted");
    let opening = tls.opening.expect("there were enough connections");
    assert_eq!((opening.planned, opening.connections), (100, 100));
    assert!(
        opening.took_s > 0.0 && opening.expected_s > 0.0,
        "{opening:?}"
    );

    let output = scene.run(
        &url(&server),
        &["-u", "4", "--iterations", "4", "--cacert", &ca],
    );
    assert!(!text(&output).contains("handshakes: "), "{}", text(&output));
    assert_eq!(scene.record().tls.and_then(|tls| tls.opening), None);
}

#[test]
fn an_insecure_run_says_so_before_it_in_the_report_and_in_the_record() {
    let scene = Scene::new();
    let server = scene.serve(Manner::default());
    let output = scene.run(
        &url(&server),
        &["-u", "1", "--iterations", "3", "--insecure"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let (printed, noted) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert!(printed.contains("NOT VERIFIED: --insecure"), "{printed}");
    assert!(noted.contains("note: --insecure"), "{noted}");
    assert!(scene.record().tls.expect("it was encrypted").insecure);
}

#[test]
fn a_server_that_asks_for_a_certificate_gets_it() {
    let scene = Scene::new();
    let own = scene.authority.certify(&["client.test"]);
    let (cert, key) = (
        scene.file("cert.pem", own.certificate_pem.as_bytes()),
        scene.file("key.pem", own.key_pem.as_bytes()),
    );
    for io in EACH_IO {
        let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
        let identity = scene.authority.certify(&["localhost"]);
        let config = scene.authority.server(identity, &versions, &[], true);
        let server = TlsServer::start(config, Manner::default());
        let flags = [
            "-u",
            "2",
            "--iterations",
            "20",
            "--io",
            io,
            "--cacert",
            &scene.ca(),
        ];
        let with = [&flags[..], &["--cert", &cert, "--key", &key]].concat();
        let output = scene.run(&url(&server), &with);
        assert_eq!(output.status.code(), Some(0), "{io}: {}", text(&output));
        // With TLS 1.3 a client without one learns it after its handshake.
        let output = scene.run(&url(&server), &flags);
        assert_eq!(output.status.code(), Some(1), "{io}: {}", text(&output));
        let record = scene.record();
        assert_eq!(record.errors[0].kind, "tls-alert", "{:?}", record.errors);
        let detail = &record.errors[0].detail;
        assert!(detail.contains("certificate_required (116)"), "{detail}");
    }
}

#[test]
fn a_unix_socket_may_be_encrypted_too() {
    let scene = Scene::new();
    for io in EACH_IO {
        let path = scene.path(&format!("{io}.sock"));
        let seen = TlsServer::start_unix(config(&scene.authority), &path);
        let path = path.to_str().expect("UTF-8").to_owned();
        let flags = [
            "-u",
            "2",
            "--iterations",
            "20",
            "--io",
            io,
            "--cacert",
            &scene.ca(),
        ];
        let with = [&flags[..], &["--unix-socket", &path]].concat();
        let output = scene.run("https://localhost/", &with);
        assert_eq!(output.status.code(), Some(0), "{io}: {}", text(&output));
        assert_eq!(seen.count(|seen| &seen.requests), 20);
    }
}

#[test]
fn names_can_be_resolved_by_hand_and_secrets_logged_when_asked_for() {
    let scene = Scene::new();
    let identity = scene.authority.certify(&["service.test"]);
    let server = TlsServer::start(config_of(&scene.authority, identity), Manner::default());
    let port = server.port();
    let resolve = format!("service.test:{port}:127.0.0.1");
    let keys = scene.path("keys").to_str().expect("UTF-8").to_owned();
    let flags = ["-u", "1", "--iterations", "3", "--cacert", &scene.ca()];
    let more = ["--resolve", &resolve, "--keylog", &keys];
    let url = format!("https://service.test:{port}/");
    let output = scene.run(&url, &[&flags[..], &more].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let name = server.seen.name.lock().expect("no panic").clone();
    assert_eq!(name.as_deref(), Some("service.test"));
    let log = fs::read_to_string(&keys).expect("it was written");
    let secret = log.lines().find_map(|line| {
        let rest = line.strip_prefix("CLIENT_TRAFFIC_SECRET_0 ")?;
        rest.split_once(' ').map(|(_, secret)| secret.to_owned())
    });
    let secret = secret.expect("a secret of TLS 1.3");
    let record = fs::read_to_string(scene.path("run.json")).expect("it was written");
    assert!(!record.contains(&secret) && !text(&output).contains(&secret));
}

#[test]
fn one_request_over_https_is_shown_in_plain_text() {
    let scene = Scene::new();
    let server = scene.serve(Manner {
        body_bytes: 5,
        ..Manner::default()
    });
    for io in EACH_IO {
        let output = opsurge(&[
            "request",
            &url(&server),
            "--io",
            io,
            "--cacert",
            &scene.ca(),
        ])
        .output()
        .expect("the binary was built");
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(0), "{printed}");
        assert!(
            printed.contains("> GET / HTTP/1.1") && printed.contains("< HTTP/1.1 200 OK"),
            "{printed}"
        );
        assert!(
            printed.contains("xxxxx") && printed.contains("connection reusable"),
            "{printed}"
        );
        let output = opsurge(&["request", &url(&server), "--io", io])
            .output()
            .expect("the binary was built");
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(
            text(&output).contains("certificate-issuer: "),
            "{}",
            text(&output)
        );
    }
}

#[test]
fn flags_of_tls_need_an_https_target() {
    let scene = Scene::new();
    for flags in [
        &["--cacert", &scene.ca()][..],
        &["--insecure"],
        &["--tls-max", "1.2"],
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let output = scene.run(&format!("http://127.0.0.1:{port}/"), flags);
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(2), "{printed}");
        assert!(
            printed.contains(&format!("{} is for https", flags[0])),
            "{printed}"
        );
    }
}

/// What load balancers are measured with: connections that are replaced, by their number of answers or by their age.
#[test]
fn connections_are_replaced_when_their_life_is_over() {
    let scene = Scene::new();
    for io in EACH_IO {
        for (flags, connections) in [
            (&["--connection-lifetime", "10"][..], 20),
            (&["--connection-lifetime", "1h"], 2),
            (&["--new-connections"], 200),
        ] {
            // A connection ends with its answer where the server hears of it: not this one.
            let server = scene.serve(Manner {
                closes: flags[0] == "--new-connections",
                ..Manner::default()
            });
            let load = [
                "-u",
                "2",
                "--iterations",
                "200",
                "--io",
                io,
                "--cacert",
                &scene.ca(),
            ];
            let output = scene.run(&url(&server), &[&load[..], flags].concat());
            assert_eq!(output.status.code(), Some(0), "{io}: {}", text(&output));
            let record = scene.record();
            assert_eq!(record.totals.requests, 200);
            assert_eq!(
                record.totals.connections_opened, connections,
                "{io} {flags:?}"
            );
            assert_eq!(record.totals.retried, 0);
            let shown = record.run.connection_lifetime;
            match flags {
                [_, "10"] => assert_eq!(shown.as_deref(), Some("10 answers")),
                [_, _] => assert_eq!(shown.as_deref(), Some("1h")),
                _ => assert_eq!(shown, None),
            }
            assert_eq!(server.seen.count(|seen| &seen.cut), 0, "{io} {flags:?}");
        }
    }
}

#[test]
fn lifetimes_that_are_none_are_refused() {
    for (life, part) in [
        ("0", "--new-connections"),
        ("0s", "or a time"),
        ("often", "often"),
    ] {
        let output = opsurge(&["run", "--mock", "-t", "1s", "--connection-lifetime", life])
            .output()
            .expect("the binary was built");
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(2), "{printed}");
        assert!(
            printed.contains("--connection-lifetime") && printed.contains(part),
            "{printed}"
        );
    }
}

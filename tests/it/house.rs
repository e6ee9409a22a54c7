//! Holds the code to the table of rooms in `src/lib.rs`, and `unsafe` to its one room.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room and the rooms that it may use.
const ROOMS: [(&str, &[&str]); 17] = [
    (
        "cli",
        &[
            "analysis", "engine", "http", "io", "live", "load", "machine", "metrics", "mock",
            "record", "report", "scenario", "session", "text",
        ],
    ),
    (
        "session",
        &[
            "analysis", "cli", "engine", "http", "io", "live", "load", "machine", "metrics",
            "mock", "record", "report", "scenario", "text",
        ],
    ),
    (
        "engine",
        &[
            "http", "io", "load", "machine", "metrics", "scenario", "text", "wire",
        ],
    ),
    ("live", &["metrics", "text"]),
    ("report", &["metrics", "record", "scenario", "text"]),
    ("record", &["analysis", "metrics", "scenario", "text"]),
    ("analysis", &["metrics"]),
    ("scenario", &["http", "load", "text"]),
    ("load", &["text"]),
    ("sim", &["io"]),
    ("io", &[]),
    ("wire", &[]),
    ("http", &[]),
    ("metrics", &[]),
    ("machine", &[]),
    ("text", &[]),
    ("mock", &[]),
];

/// What a pure room must not name.
const IMPURE: [&str; 6] = [
    "std::fs",
    "std::net::Tcp",
    "std::thread",
    "Instant",
    "SystemTime",
    "std::env",
];
const PURE: [&str; 8] = [
    "analysis", "http", "load", "metrics", "scenario", "text", "live", "wire",
];

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of the crate") {
        let path = entry.expect("it can be read").path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            // Unit tests that have a file of their own.
            false if path.ends_with("tests.rs") => {}
            false if path.extension().is_some_and(|end| end == "rs") => found.push(path),
            false => {}
        }
    }
    found
}

/// All lines of a room's code, tests and comments left out, with their place.
fn code_of(room: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room);
    let mut lines = Vec::new();
    for path in files(&folder) {
        let text = fs::read_to_string(&path).expect("source is text");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            if !line.trim_start().starts_with("//") {
                lines.push((
                    format!("{}:{}", path.display(), number + 1),
                    line.to_owned(),
                ));
            }
        }
    }
    assert!(!lines.is_empty(), "the room {room} is empty");
    lines
}

#[test]
fn rooms_use_only_what_the_table_allows() {
    for (room, allowed) in ROOMS {
        for (place, line) in code_of(room) {
            for used in line
                .match_indices("crate::")
                .map(|(at, found)| &line[at + found.len()..])
            {
                let used = used
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .next();
                let used = used.unwrap_or_default();
                let is_fine = used == room || allowed.contains(&used);
                assert!(is_fine, "{place}: {room} may not use {used}");
            }
        }
    }
}

#[test]
fn every_room_is_in_the_table() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(folder).expect("src") {
        let path = entry.expect("it can be read").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let known = ROOMS.iter().any(|(room, _)| *room == name);
        assert!(
            known || !path.is_dir(),
            "the room {name} is not in the table"
        );
    }
}

#[test]
fn pure_rooms_touch_no_clock_socket_thread_or_file() {
    for room in PURE {
        for (place, line) in code_of(room) {
            for impure in IMPURE {
                assert!(!line.contains(impure), "{place}: {impure} in a pure room");
            }
        }
    }
}

#[test]
fn unsafe_stays_in_its_room() {
    for (room, _) in ROOMS.iter().filter(|(room, _)| *room != "io") {
        for (place, line) in code_of(room) {
            assert!(!line.contains("unsafe "), "{place}: unsafe outside src/io");
        }
    }
}

#[test]
fn only_the_stand_in_knows_ops_cores_paths() {
    for (room, _) in ROOMS.iter().filter(|(room, _)| *room != "mock") {
        for (place, line) in code_of(room) {
            for path in ["/v1/", "agent/notify", "opscore/"] {
                assert!(!line.contains(path), "{place}: {path} in Rust");
            }
        }
    }
}

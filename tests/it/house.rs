//! Holds the code to the table of rooms in `src/lib.rs`, its files to having no circle, and `unsafe` to its one room.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each room and the rooms that it may use.
const ROOMS: [(&str, &[&str]); 18] = [
    (
        "cli",
        &[
            "analysis", "engine", "http", "io", "live", "load", "machine", "metrics", "mock",
            "record", "report", "scenario", "session", "text", "wire", "worker",
        ],
    ),
    (
        "session",
        &[
            "analysis", "engine", "http", "io", "load", "machine", "metrics", "mock", "record",
            "scenario", "text", "wire",
        ],
    ),
    (
        "engine",
        &[
            "http", "io", "load", "machine", "metrics", "scenario", "text", "wire",
        ],
    ),
    ("live", &["analysis", "metrics", "record", "report", "text"]),
    ("worker", &["metrics"]),
    ("report", &["metrics", "record", "text"]),
    ("record", &["analysis", "metrics", "scenario", "text"]),
    ("analysis", &["metrics", "text"]),
    ("scenario", &["http", "load", "metrics", "text"]),
    ("load", &[]),
    ("sim", &["io"]),
    ("io", &[]),
    ("wire", &["io", "text"]),
    ("http", &["text"]),
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
    "analysis", "http", "load", "metrics", "report", "scenario", "text", "wire",
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

/// The modules of the crate: path in the crate, and code without tests and comments.
fn modules() -> BTreeMap<String, String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = BTreeMap::new();
    for path in files(&src) {
        let text = fs::read_to_string(&path).expect("source is text");
        let code = text.split("#[cfg(test)]\nmod tests").next();
        let code: Vec<&str> = code
            .unwrap_or_default()
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default())
            .collect();
        let place = path.strip_prefix(&src).expect("below src");
        let place = place.with_extension("").to_string_lossy().into_owned();
        let mut parts: Vec<&str> = place.split('/').collect();
        if matches!(parts.last(), Some(&"mod" | &"lib" | &"main")) {
            parts.pop();
        }
        // The program stands outside the library.
        if place != "main" {
            modules.insert(parts.join("::"), code.join("\n"));
        }
    }
    modules
}

/// `a::{b, c::{d, e}}` -> `a::b`, `a::c::d`, `a::c::e`.
fn flatten(tree: &str, before: &str, paths: &mut Vec<String>) {
    let Some((head, group)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap_or_default().trim();
        paths.push(format!("{before}{name}"));
        return;
    };
    let before = format!("{before}{}", head.trim());
    let (mut depth, mut from) = (0, 0);
    let group = group.rsplit_once('}').map_or(group, |(group, _)| group);
    for (at, character) in group.char_indices().chain([(group.len(), ',')]) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let part = group[from..at].trim();
                if !part.is_empty() {
                    flatten(part, &before, paths);
                }
                from = at + 1;
            }
            _ => {}
        }
    }
}

/// The paths that a module's code names: of `use`, and those written out.
fn paths_in(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let is_word = rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        rest = &rest[at + 4..];
        if let (false, Some(end)) = (is_word, rest.find(';')) {
            let tree: String = rest[..end].split_whitespace().collect::<Vec<_>>().join(" ");
            flatten(&tree.replace(":: {", "::{"), "", &mut paths);
        }
    }
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    for root in ["crate::", "super::"] {
        for (at, _) in code.match_indices(root) {
            let path = &code[at..];
            let end = path.find(|c: char| !is_path(c)).unwrap_or(path.len());
            paths.push(path[..end].trim_end_matches(':').to_owned());
        }
    }
    paths
}

/// Who imports whom, file by file.
fn imports(modules: &BTreeMap<String, String>) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut imports = BTreeMap::new();
    for (module, code) in modules {
        let mut used = BTreeSet::new();
        for path in paths_in(code) {
            let mut base: Vec<&str> = module.split("::").filter(|part| !part.is_empty()).collect();
            let mut parts = path.split("::").peekable();
            match parts.peek() {
                Some(&"crate") => {
                    base.clear();
                    parts.next();
                }
                Some(&"super") => {
                    while parts.next_if_eq(&"super").is_some() {
                        base.pop();
                    }
                }
                Some(&"self") => {
                    parts.next();
                }
                // `use child::Thing;` in the file of its parent; other crates are no modules of ours.
                _ => {}
            }
            base.extend(parts);
            let named = (0..=base.len()).rev().map(|count| base[..count].join("::"));
            let known = named
                .into_iter()
                .find_map(|name| modules.get_key_value(&name));
            // Another crate's path leads to the module itself or to its parents, which name nothing then.
            let is_ours = path.starts_with("crate") || path.starts_with("super");
            if let Some((known, _)) = known
                && known != module
                && (is_ours || known.starts_with(module.as_str()))
            {
                used.insert(known.as_str());
            }
        }
        imports.insert(module.as_str(), used);
    }
    imports
}

/// All that a file leads to, over any number of imports.
fn reached<'m>(from: &'m str, imports: &BTreeMap<&'m str, BTreeSet<&'m str>>) -> BTreeSet<&'m str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = imports[from].iter().copied().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(&imports[module]);
        }
    }
    reached
}

#[test]
fn no_file_imports_another_that_imports_it_back() {
    let modules = modules();
    let imports = imports(&modules);
    for (room, _) in ROOMS {
        let of_room = |module: &&str| module.split("::").next() == Some(room);
        let files = imports.iter().filter(|(module, _)| of_room(module));
        let used = files
            .flat_map(|(_, used)| used)
            .filter(|used| !of_room(used));
        let used: BTreeSet<_> = used.filter_map(|used| used.split("::").next()).collect();
        println!(
            "{room} -> {}",
            used.into_iter().collect::<Vec<_>>().join(" ")
        );
    }
    let circles: Vec<String> = imports
        .keys()
        .filter(|module| reached(module, &imports).contains(**module))
        .map(|module| format!("src/{}", module.replace("::", "/")))
        .collect();
    assert!(
        circles.is_empty(),
        "files in a circle: {}",
        circles.join(", ")
    );
    // The graph is not empty by mistake.
    assert!(imports.values().map(BTreeSet::len).sum::<usize>() > modules.len());
}

#[test]
fn imports_are_found_in_all_their_forms() {
    let code =
        "use crate::a::{b, c::{d, e as f}};\npub use child::Thing;\nlet x = super::y::Z::new();";
    let found = paths_in(code);
    for expected in [
        "crate::a::b",
        "crate::a::c::d",
        "crate::a::c::e",
        "child::Thing",
        "super::y::Z::new",
    ] {
        assert!(
            found.iter().any(|path| path == expected),
            "{expected} in {found:?}"
        );
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

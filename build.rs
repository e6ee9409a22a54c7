//! What `--version` says about a build: commit, profile, target, compiler and the crates that matter most.
//!
//! Nothing here fails: a fact that is not known is left out. `OPSURGE_COMMIT` names the commit where git cannot (a source
//! archive, a container). Debug builds do not ask git, because each commit would then compile the crate again.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Crates whose versions decide how the program talks to the kernel and to servers.
const CRATES: [&str; 2] = ["io-uring", "rustls"];
/// Optional parts that a command or a scenario may need.
const FEATURES: [&str; 3] = ["codings", "html", "locust"];
/// A change of the source, as opposed to its documents.
const SOURCE: [&str; 4] = ["src", "build.rs", "Cargo.toml", "Cargo.lock"];

fn main() {
    println!("cargo:rerun-if-env-changed=OPSURGE_COMMIT");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=Cargo.lock");
    let given = env::var("OPSURGE_COMMIT").ok();
    let is_debug = env::var("PROFILE").is_ok_and(|profile| profile == "debug");
    let commit = match given.filter(|commit| !commit.is_empty()) {
        Some(commit) => Some(commit),
        None if is_debug => None,
        None => commit_of_git(),
    };
    let origin: Vec<String> = commit.into_iter().chain(profile()).collect();
    let mut facts = vec![env::var("TARGET").unwrap_or_default()];
    facts.extend(compiler());
    let lock = fs::read_to_string("Cargo.lock").unwrap_or_default();
    let crates = CRATES.iter().filter_map(|name| version_of(name, &lock));
    println!("cargo:rustc-env=OPSURGE_ORIGIN={}", origin.join(", "));
    println!("cargo:rustc-env=OPSURGE_BUILD={}", facts.join(", "));
    println!(
        "cargo:rustc-env=OPSURGE_CRATES={}",
        crates.collect::<Vec<_>>().join(", ")
    );
    println!("cargo:rustc-env=OPSURGE_FEATURES={}", features());
}

/// `with codings, locust; TLS by ring`.
fn features() -> String {
    let has = |name: &str| {
        let name = name.to_uppercase().replace('-', "_");
        env::var_os(format!("CARGO_FEATURE_{name}")).is_some()
    };
    let found: Vec<&str> = FEATURES.into_iter().filter(|name| has(name)).collect();
    let found = match &found[..] {
        [] => "without optional features".to_owned(),
        found => format!("with {}", found.join(", ")),
    };
    let provider = if has("aws-lc-rs") { "AWS-LC" } else { "ring" };
    format!("{found}; TLS by {provider}")
}

/// The short hash of HEAD, with a plus sign when the source differs from it; nothing outside a repository of its own.
fn commit_of_git() -> Option<String> {
    // In a subfolder of some other repository, HEAD is not a commit of this source.
    if !git(&["rev-parse", "--show-prefix"])?.is_empty() {
        return None;
    }
    for path in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", path])?;
        // A file that is missing would have every build begin here.
        if Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    for path in SOURCE {
        println!("cargo:rerun-if-changed={path}");
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(SOURCE);
    let plus = if git(&status)?.is_empty() { "" } else { "+" };
    Some(format!("{commit}{plus}"))
}

fn git(arguments: &[&str]) -> Option<String> {
    output("git", arguments)
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// `release`, `dist` or `debug`: the folder of the build. Cargo's own variable knows only release and debug.
fn profile() -> Option<String> {
    let out = env::var("OUT_DIR").ok()?;
    // target[/TRIPLE]/PROFILE/build/NAME-HASH/out
    let folder = Path::new(&out).ancestors().nth(3)?;
    Some(folder.file_name()?.to_str()?.to_owned())
}

/// `rustc 1.88.0`
fn compiler() -> Option<String> {
    let text = output(&env::var("RUSTC").ok()?, &["--version"])?;
    let words: Vec<&str> = text.split(' ').take(2).collect();
    Some(words.join(" "))
}

/// `io-uring 0.7.16`, from the lock file. Where it has several versions of a crate, the package's own dependencies name
/// the one that the program uses.
fn version_of(name: &str, lock: &str) -> Option<String> {
    let is_own = |package: &&str| package.starts_with("\nname = \"opsurge\"\n");
    let own = lock.split("[[package]]").find(is_own)?;
    let named = own
        .split('"')
        .find(|word| word.starts_with(&format!("{name} ")));
    if let Some(named) = named {
        return Some(named.to_owned());
    }
    let after = lock.split_once(&format!("\nname = \"{name}\"\nversion = \""))?;
    let version = after.1.split('"').next()?;
    Some(format!("{name} {version}"))
}

//! What packages are made of: completions, manual pages, the build information of `--version`.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use clap::CommandFactory;
use opsurge::cli::args::Cli;

use crate::support::binary::{run, text};

/// The words that bash offers for the last of these words.
fn offered(words: &str) -> BTreeSet<String> {
    let script = run(&["completions", "bash"]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("opsurge");
    fs::write(&path, &script.stdout).expect("it is written");
    // As bash calls it: the program, the word, the word before it.
    let complete = format!(
        "source {}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
         _opsurge opsurge \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD - 1]}}\"; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        path.display()
    );
    let output = Command::new("bash").args(["-c", &complete]).output();
    let output = output.expect("bash is there");
    assert!(output.status.success(), "{}", text(&output));
    text(&output).lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let commands = offered("opsurge re");
    let expected: BTreeSet<String> = ["report", "request"].map(str::to_owned).into();
    assert_eq!(commands, expected);
    assert!(offered("opsurge run --spaw").contains("--spawn-rate"));
    assert!(offered("opsurge run --io u").contains("uring"));
    assert!(offered("opsurge completions z").contains("zsh"));
}

#[test]
fn an_unknown_shell_is_refused_with_those_that_are_known() {
    let output = run(&["completions", "csh"]);
    assert_eq!(output.status.code(), Some(2));
    for shell in ["bash", "zsh", "fish"] {
        assert!(text(&output).contains(shell), "{}", text(&output));
    }
}

#[test]
fn every_command_has_a_manual_page_with_all_its_flags() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("share/man1");
    let output = run(&["man", pages.to_str().expect("UTF-8")]);
    assert!(output.status.success(), "{}", text(&output));
    let page = |name: &str| {
        let path = pages.join(format!("{name}.1"));
        fs::read_to_string(&path).unwrap_or_else(|_| panic!("no {}", path.display()))
    };
    let whole = page("opsurge");
    assert!(
        whole.contains(".SH TOPICS\nopsurge help verdict, "),
        "{whole}"
    );
    assert!(page("opsurge-run").contains(".SH EXAMPLES\n.nf\n  opsurge run \\-\\-mock "));
    for command in Cli::command().get_subcommands() {
        let name = format!("opsurge-{}", command.get_name());
        let roff = |text: &str| text.replace('-', "\\-");
        assert!(whole.contains(&roff(&name)), "opsurge.1 lacks {name}");
        let page = page(&name);
        assert!(
            !page.contains(".SH EXTRA"),
            "{name}.1 has a section without a title"
        );
        for flag in command.get_arguments().filter_map(|arg| arg.get_long()) {
            let flag = roff(&format!("--{flag}"));
            assert!(page.contains(&flag), "{name}.1 lacks {flag}");
        }
    }
}

#[test]
fn manual_pages_that_cannot_be_written_are_an_error_with_place_and_cure() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("it is written");
    let output = run(&["man", file.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    let printed = text(&output);
    assert!(
        printed.contains("/file; give a folder that can be written to: "),
        "{printed}"
    );
}

/// The series of a dependency in `Cargo.toml`, within which Cargo chooses the version: `0.7`.
fn series_in_manifest(name: &str) -> String {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let manifest = fs::read_to_string(manifest).expect("the manifest");
    let manifest: toml::Table = toml::from_str(&manifest).expect("it is TOML");
    let dependency = &manifest["dependencies"][name];
    let version = dependency
        .as_str()
        .or_else(|| dependency["version"].as_str());
    let version = version.expect("a version").to_owned();
    let (series, _) = version.rsplit_once('.').expect("three numbers");
    series.to_owned()
}

#[test]
fn the_version_says_how_the_program_was_built() {
    let printed = text(&run(&["--version"]));
    let lines: Vec<&str> = printed.lines().collect();
    let [version, build, crates, features] = lines[..] else {
        panic!("four lines: {printed}");
    };
    let own = format!("opsurge {} (", env!("CARGO_PKG_VERSION"));
    assert!(
        version.starts_with(&own) && version.ends_with(')'),
        "{version}"
    );
    let target = format!("{}-", std::env::consts::ARCH);
    assert!(
        build.starts_with(&target) && build.contains(", rustc 1."),
        "{build}"
    );
    for name in ["io-uring", "rustls"] {
        let printed = crates.split(", ").find_map(|it| it.strip_prefix(name));
        let printed = printed.unwrap_or_else(|| panic!("no {name}: {crates}"));
        let own = series_in_manifest(name);
        assert!(
            printed.starts_with(&format!(" {own}.")),
            "{name} {own}: {crates}"
        );
    }
    for (name, is_built) in [
        ("codings", cfg!(feature = "codings")),
        ("html", cfg!(feature = "html")),
        ("locust", cfg!(feature = "locust")),
        ("AWS-LC", cfg!(feature = "aws-lc-rs")),
    ] {
        assert_eq!(features.contains(name), is_built, "{name}: {features}");
    }
    assert!(lines.iter().all(|line| line.len() <= 60), "{printed}");
    assert_eq!(
        text(&run(&["-V"])).trim_end(),
        format!("opsurge {}", env!("CARGO_PKG_VERSION"))
    );
}

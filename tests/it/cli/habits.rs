//! What people are used to: a URL as an argument, headers with -H, defaults of flags from a file and the environment.

use opsurge::record::schema::Record;

use crate::support::binary::{opsurge, text};

/// A run of three iterations against the stand-in, by its defaults alone.
const DEFAULTS: &str =
    "mock = true\nusers = 1\niterations = 3\nwait = 0\npause = 0\nscenario = \"minimal\"\n";

#[test]
fn defaults_of_flags_come_from_the_environment_and_a_file_and_are_said_and_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("opsurge.toml"), DEFAULTS).expect("it can be written");
    let record = folder.path().join("run.json");
    let output = opsurge(&["run", "--iterations", "2", "--json"])
        .arg(&record)
        .env("OPSURGE_USERS", "2")
        .env("OPSURGE_HEADER", "X-Api-Key: s3cret-canary")
        .current_dir(folder.path())
        .output()
        .expect("the binary starts");
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let one_line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "defaults: ",
        "--users=2 (OPSURGE_USERS)",
        "--header=X-Api-Key: *** (OPSURGE_HEADER)",
        "--mock (opsurge.toml)",
        "--scenario=minimal (opsurge.toml)",
    ] {
        assert!(one_line.contains(part), "{part} in {one_line}");
    }
    assert!(!one_line.contains("--iterations"), "{one_line}");
    let record = std::fs::read_to_string(&record).expect("a record");
    let record: Record = serde_json::from_str(&record).expect("a record");
    let command = record.run.command.join(" ");
    assert!(
        command.contains("--users=2") && command.contains("--mock"),
        "{command}"
    );
    assert!(!format!("{said}{command}").contains("s3cret-canary"));
    assert_eq!(record.run.load.iterations, Some(2));
}

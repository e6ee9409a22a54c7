//! The forecast of memory that `run` prints, against the memory that the process then uses.

#[path = "it/support/binary.rs"]
#[expect(dead_code, reason = "only a part of it is used here")]
mod binary;

use std::net::TcpListener;

use opsurge::record::schema::Record;
use opsurge::text::units::grouped;

/// `85.3 MB` -> bytes.
fn bytes_of(text: &str) -> f64 {
    let (number, unit) = text.split_once(' ').expect("a number and a unit");
    let number: f64 = number.replace(',', "").parse().expect("a number");
    let factor = match unit {
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        _ => panic!("{text}"),
    };
    number * factor
}

/// The forecast in bytes: of an ordinary run, and with all users waiting at once.
fn expected(printed: &str) -> (f64, f64) {
    let line = printed
        .lines()
        .find_map(|line| line.strip_prefix("memory: about "));
    let line = line.expect("it says what it will take");
    let (usual, rest) = line.split_once(" (").expect("and for what");
    let worst = rest.rsplit("; ").next().expect("and at worst");
    let worst = worst.strip_suffix(" if all wait at once");
    (bytes_of(usual), bytes_of(worst.expect("at worst")))
}

fn run(arguments: &str, code: i32) -> (Record, String) {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    binary::record_of(&arguments, code)
}

fn check(printed: &str, expected: f64, record: &Record) {
    let truth = record.generator.rss_max_bytes as f64;
    let ratio = expected / truth;
    assert!(
        (0.8..=1.2).contains(&ratio),
        "{truth} bytes in truth: {printed}"
    );
}

#[test]
fn users_that_all_wait_take_what_was_expected_of_them() {
    // Accepts connections and answers nothing: one request is open, all others wait in the line.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    let scenario = format!(
        "name = \"many\"\n[variables]\nid = \"{}{{{{uuid}}}}\"\n[[task]]\nmethod = \"GET\"\npath = \"/{{{{id}}}}\"\n",
        "x".repeat(256)
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("many.toml");
    std::fs::write(&file, scenario).expect("written");
    let load = "-u 100000 -r 1e6 --connections 1 --shards 1 -t 6s --timeout 7s --headless";
    let arguments = format!("{} --host http://{address} {load}", file.display());
    let (record, printed) = run(&arguments, 1);
    assert!(record.totals.sent > 99_000, "all have come: {printed}");
    assert!(
        printed.contains("(100,000 users at 44 B and 294 B of variables"),
        "{printed}"
    );
    let (usual, worst) = expected(&printed);
    assert!(worst > usual && worst > 50e6, "{printed}");
    check(&printed, worst, &record);
}

#[test]
fn a_small_run_takes_what_was_expected_of_its_histograms_and_buffers() {
    let (record, printed) = run(
        "--mock --headless -u 200 --wait 0 --pause 0 -t 2s --shards 1",
        0,
    );
    check(&printed, expected(&printed).0, &record);
}

/// A scenario with this many tasks of one step. Each has its own name, and so its own histograms.
fn run_of_steps(steps: usize) -> (Record, String) {
    let task = |index| {
        format!("[[task]]\nname = \"step {index}\"\nmethod = \"GET\"\npath = \"/health\"\n")
    };
    let tasks: String = (0..steps).map(task).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("steps.toml");
    std::fs::write(&file, format!("name = \"steps\"\n{tasks}")).expect("written");
    let load = "--mock --headless -u 20 --wait 0 --pause 0 -t 3s --shards 2";
    let (record, printed) = run(&format!("{} {load}", file.display()), 0);
    assert_eq!(record.steps.len(), steps);
    assert!(printed.contains(&format!("figures of {} steps", grouped(steps as u64))));
    (record, printed)
}

#[test]
fn hundreds_of_named_steps_take_a_few_hundred_kilobytes_each_and_what_was_expected() {
    for (steps, bytes_max) in [(300, 200_000_000), (1_000, 400_000_000)] {
        let (record, printed) = run_of_steps(steps);
        let truth = record.generator.rss_max_bytes;
        assert!(truth < bytes_max, "{truth} bytes for {steps} steps");
        // The number of histogram blocks that a step uses depends on the number of requests, and so on the machine.
        let ratio = expected(&printed).0 / truth as f64;
        assert!(
            (0.8..=4.0).contains(&ratio),
            "{truth} bytes in truth: {printed}"
        );
    }
}

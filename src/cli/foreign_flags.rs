//! Flags of other load generators, and what they are here.

/// Flags of wrk, hey, oha, k6, ab, vegeta, Locust and curl that no command has, and the answer to them.
const FOREIGN: [(&[&str], &str); 26] = [
    (
        &[
            "-c",
            "--concurrency",
            "--vus",
            "--clients",
            "--virtual-users",
            "--num-users",
        ],
        "the number of users is -u 50; each has a connection of its own, unless --connections says how many there are",
    ),
    (
        &["-n", "--requests", "--num-requests", "--number"],
        "a number of requests is --iterations 1000, which counts passes of the scenario; with one URL each is one request",
    ),
    (
        &[
            "-d",
            "-z",
            "--duration",
            "--time",
            "--timelimit",
            "--time-limit",
        ],
        "the length of a run is -t 30s; a body (-d of curl, hey and oha) is --body 'text' or --body @file",
    ),
    (
        &[
            "-R",
            "--qps",
            "--rps",
            "--query-per-second",
            "--max-rate",
            "--throughput",
        ],
        "a rate is --rate 500, in iterations per second of all users together",
    ),
    (&["-m", "--verb"], "the method is -X POST"),
    (
        &["-k", "--keepalive", "--keep-alive"],
        "connections are kept open without a flag; --insecure accepts any certificate (-k of curl and k6)",
    ),
    (
        &[
            "--disable-keepalive",
            "--no-keepalive",
            "--disable-keep-alive",
        ],
        "a connection for each request is --header 'Connection: close'",
    ),
    (
        &["-D", "--data-file", "--body-file"],
        "a body from a file is --body @file",
    ),
    (
        &[
            "--data",
            "--data-raw",
            "--data-binary",
            "--json-body",
            "--payload",
        ],
        "a body is --body 'text' or --body @file",
    ),
    (
        &["-T", "--content-type"],
        "the type of a body is --header 'Content-Type: application/json'; tags of Locust are tasks of the scenario: leave out those that shall not run",
    ),
    (
        &["-A", "--accept"],
        "it is --header 'Accept: application/json'",
    ),
    (
        &["-a", "--auth", "--basic-auth"],
        "credentials are auth = { basic = [\"name\", \"{{env.PASSWORD}}\"] } in a scenario, or a field with --header",
    ),
    (
        &["-b", "--cookie", "--cookies"],
        "it is --header 'Cookie: a=b'; cookies = true in a scenario keeps those that answers set",
    ),
    (
        &["-x", "--proxy"],
        "requests go straight to --host; proxies are not used",
    ),
    (
        &["--tags", "--exclude-tags", "-E"],
        "which tasks run is decided by the scenario: write a file without those that shall not",
    ),
    (
        &["-f", "--locustfile"],
        "opsurge scenarios from locustfile.py > mine.toml makes a scenario of a locustfile; opsurge run mine.toml runs it",
    ),
    (
        &["-s", "--script"],
        "what users do is a scenario: opsurge run mine.toml; opsurge scenarios format shows what it can have",
    ),
    (&["--threads"], "the number of threads is --shards 4"),
    (
        &["--processes"],
        "one process uses all cores; the number of threads is --shards 4",
    ),
    (
        &["--latency", "--latencies", "--percentiles"],
        "percentiles are always reported; --report full shows all of them",
    ),
    (
        &[
            "-o",
            "--out",
            "--output",
            "--summary-export",
            "--output-format",
        ],
        "results are written with --json run.json, --html run.html, --csv run or --hdr run.hlog",
    ),
    (
        &["-L", "--location", "--max-redirects", "--redirects"],
        "redirects are followed where a step of the scenario says follow = 3",
    ),
    (
        &["--master", "--worker", "--expect-workers"],
        "opsurge worker --master-host HOST is a worker of a Locust master; runs on several machines are --part 1/2",
    ),
    (
        &["-W", "--stop-timeout"],
        "the time that open requests have at the end is --drain 10s",
    ),
    (
        &["--hatch-rate", "--ramp-up", "--rampup", "--ramp"],
        "a ramp is -r 10, in users per second, or --stage 50:30s",
    ),
    (
        &["--no-tui", "--no-web", "--autostart", "--no-progress"],
        "--headless leaves the live screen out; without a terminal there is none",
    ),
];

/// What a flag of another tool is here; `None` for an unknown one. `word`: the flag, perhaps with its value.
pub fn cure(word: &str) -> Option<&'static str> {
    let name = match word.starts_with("--") {
        true => word.split('=').next().unwrap_or(word),
        // `-c100`
        false => word.get(..2).unwrap_or(word),
    };
    let known = FOREIGN.iter().find(|(names, _)| names.contains(&name));
    known.map(|(_, cure)| *cure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;
    use crate::cli::words::{Role, read};
    use clap::CommandFactory;

    #[test]
    fn no_flag_of_ours_is_called_foreign_and_each_cure_names_flags_of_ours() {
        let mut cli = Cli::command();
        cli.build();
        let run = cli.find_subcommand("run").expect("a command");
        for (names, answer) in &FOREIGN {
            for name in *names {
                let read = read(&[(*name).to_owned()], run);
                assert_eq!(read[0].role, Role::Unknown, "{name}");
                assert_eq!(cure(name), Some(*answer));
            }
            let words = answer
                .split([' ', ';', ','])
                .filter(|word| word.starts_with("--"));
            for word in words.filter(|word| *word != "--master-host") {
                let read = read(&[word.to_owned()], run);
                assert_eq!(read[0].role, Role::Flag, "{word} in {answer}");
            }
        }
        assert_eq!(cure("-c100"), cure("--vus=100"));
        assert_eq!(cure("--nothing"), None);
    }
}

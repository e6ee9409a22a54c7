use std::collections::BTreeSet;

use super::*;

/// Messages between a master of Locust 2.47.0 and its workers, recorded on the wire.
const RECORDED: &str = include_str!("messages.jsonl");

struct Recorded {
    kind: String,
    from_master: bool,
    node_id: String,
    bytes: Vec<u8>,
}

fn recorded() -> Vec<Recorded> {
    let lines = RECORDED.lines().map(|line| {
        let json: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
        json
    });
    let messages = lines.filter(|json| json["hex"].is_string());
    let text = |json: &serde_json::Value, key: &str| json[key].as_str().expect("a text").to_owned();
    let messages: Vec<Recorded> = messages
        .map(|json| Recorded {
            kind: text(&json, "type"),
            from_master: json["dir"] == "master>worker",
            node_id: text(&json, "node_id"),
            bytes: text(&json, "hex")
                .as_bytes()
                .chunks(2)
                .map(|pair| {
                    let pair = std::str::from_utf8(pair).expect("ASCII");
                    u8::from_str_radix(pair, 16).expect("hexadecimal digits")
                })
                .collect(),
        })
        .collect();
    assert!(messages.len() >= 28, "{}", messages.len());
    messages
}

fn value(bytes: &[u8]) -> Value {
    rmpv::decode::read_value(&mut &bytes[..]).expect("MessagePack")
}

fn keys(map: &Value) -> BTreeSet<&str> {
    let map = map.as_map().expect("a map");
    map.iter()
        .map(|(key, _)| key.as_str().expect("a text"))
        .collect()
}

#[test]
fn messages_without_figures_are_those_of_a_python_worker_to_the_byte() {
    let mut checked = 0;
    for message in recorded().iter().filter(|message| !message.from_master) {
        let ours = match message.kind.as_str() {
            "spawning" => Outgoing::Spawning,
            "client_stopped" => Outgoing::ClientStopped,
            "quit" => Outgoing::Quit,
            "heartbeat" => {
                let data = value(&message.bytes)[1].clone();
                Outgoing::Heartbeat {
                    state: match data["state"].as_str() {
                        Some("ready") => "ready",
                        _ => "running",
                    },
                    cpu_percent: data["current_cpu_usage"].as_f64().expect("a number"),
                    memory_bytes: data["current_memory_usage"].as_u64().expect("bytes"),
                }
            }
            "spawning_complete" if value(&message.bytes)[1]["user_count"] == Value::from(2) => {
                Outgoing::SpawningComplete(vec![("Alpha".into(), 1), ("Beta".into(), 1)])
            }
            "exception" => {
                let data = value(&message.bytes)[1].clone();
                Outgoing::Exception {
                    text: data["msg"].as_str().expect("a text").into(),
                    place: data["traceback"].as_str().expect("a text").into(),
                }
            }
            _ => continue,
        };
        assert_eq!(
            ours.encode(&message.node_id),
            message.bytes,
            "{}",
            message.kind
        );
        checked += 1;
    }
    assert_eq!(checked, 7);
}

#[test]
fn a_report_has_the_fields_of_a_python_workers_and_no_others() {
    let row = Row {
        name: "/health".into(),
        method: "GET".into(),
        requests: 3,
        times: vec![(0.25, 1), (4.0, 2)],
        by_second: vec![(1_795_683_904, 3)],
        ..Row::total(1.5)
    };
    let ours = Outgoing::Stats(Box::new(Report {
        rows: vec![row],
        total: Row::total(1.5),
        errors: vec![ErrorRow {
            name: "/health".into(),
            method: "GET".into(),
            error: "timeout".into(),
            occurrences: 2,
        }],
        users: vec![("Alpha".into(), 7)],
    }));
    let ours = value(&ours.encode("vm_1"));
    let all = recorded();
    let theirs = all
        .iter()
        .find(|message| message.kind == "stats" && value(&message.bytes)[1]["stats"][0].is_map());
    let theirs = value(&theirs.expect("a report with rows").bytes);
    assert_eq!(ours[0], theirs[0]);
    let (ours, theirs) = (&ours[1], &theirs[1]);
    assert_eq!(keys(ours), keys(theirs));
    assert_eq!(keys(&ours["stats_total"]), keys(&theirs["stats_total"]));
    assert_eq!(keys(&ours["stats"][0]), keys(&theirs["stats"][0]));
    assert_eq!(ours["stats_total"]["name"], theirs["stats_total"]["name"]);
    assert_eq!(ours["user_count"], Value::from(7));
    // Times of day of errors may be left out.
    let error = |report: &Value| report["errors"].as_map().expect("errors")[0].1.clone();
    assert!(keys(&error(ours)).is_subset(&keys(&error(theirs))));
    // Nil, for 0 would stay the least time for ever.
    assert!(ours["stats_total"]["min_response_time"].is_nil());
    let times = ours["stats"][0]["response_times"].as_map().expect("times");
    assert_eq!(times[0].0, Value::from(0.25));
    assert_eq!(times[1].0, Value::from(4));
}

#[test]
fn every_message_of_the_master_is_read() {
    let mut kinds = BTreeSet::new();
    for message in recorded().iter().filter(|message| message.from_master) {
        let read = decode(&message.bytes).expect("the master's messages are well formed");
        let expected = match message.kind.as_str() {
            "ack" => Incoming::Ack,
            "heartbeat" => Incoming::Heartbeat,
            "stop" => Incoming::Stop,
            "quit" => Incoming::Quit,
            "spawning_complete" => Incoming::SpawningComplete,
            "locustfile" | "to_worker" => Incoming::Other(message.kind.clone()),
            "spawn" => read.clone(),
            other => panic!("{other} is not expected"),
        };
        assert_eq!(read, expected);
        kinds.insert(message.kind.clone());
    }
    assert_eq!(kinds.len(), 8, "{kinds:?}");
}

#[test]
fn the_settings_of_a_test_come_with_the_first_spawn() {
    let all = recorded();
    let first = all.iter().find(|message| message.kind == "spawn");
    let read = decode(&first.expect("a spawn").bytes).expect("it is read");
    let expected = Spawn {
        timestamp_s: 1_795_683_902.285_726,
        users: vec![("Alpha".into(), 1), ("Beta".into(), 1)],
        settings: Settings {
            host: Some("http://127.0.0.1:22111".into()),
            stop_timeout_s: 3.0,
            users_of_test: Some(6),
            run_time_s: Some(12.0),
        },
    };
    assert_eq!(read, Incoming::Spawn(expected));
}

#[test]
fn a_message_that_is_cut_or_spoilt_is_an_error_and_no_panic() {
    for message in recorded() {
        for end in 0..message.bytes.len() {
            assert!(
                decode(&message.bytes[..end]).is_err(),
                "{} {end}",
                message.kind
            );
        }
        for at in 0..message.bytes.len().min(300) {
            let mut spoilt = message.bytes.clone();
            spoilt[at] ^= 0xff;
            // Any answer is fine.
            let _ = decode(&spoilt);
        }
    }
    for wrong in [Value::Nil, Value::from(1), Value::Array(Vec::new())] {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &wrong).expect("it is encoded");
        assert!(decode(&bytes).is_err());
    }
}

use super::*;
use crate::metrics::interval::{Interval, StepInterval};
use crate::metrics::outcome::Failures;
use crate::metrics::seconds::Status;

/// A worker on a clock of the test's own; its actions are read as words.
struct Bench {
    protocol: Protocol,
    now: Now,
    sent: Vec<Outgoing>,
    words: Vec<String>,
    tick: u64,
}

impl Bench {
    fn new(classes: Classes) -> Self {
        let now = Now {
            ms: 1_000,
            epoch_s: 5_000.0,
        };
        let mut bench = Self {
            protocol: Protocol::new(classes, now),
            now,
            sent: Vec::new(),
            words: Vec::new(),
            tick: 0,
        };
        bench.check(&["connect"]);
        bench
    }

    /// Connected, and known to the master.
    fn known() -> Self {
        let mut bench = Self::new(Classes::All);
        bench.protocol.on_connected(bench.now);
        bench.check(&["client_ready"]);
        bench.hear(Incoming::Ack);
        bench.check(&[]);
        bench.pass(0);
        bench.check(&["heartbeat ready", "stats 0 of 0 users"]);
        bench
    }

    /// With a test of 10 users that are all there.
    fn running() -> Self {
        let mut bench = Self::known();
        bench.spawn(1.0, &[("A", 10)]);
        bench.begin(0);
        bench.second(0, 10, 4);
        bench.check(&["spawning", "begin 0 test 1: 10", "spawning_complete 10"]);
        bench
    }

    fn hear(&mut self, message: Incoming) {
        self.protocol.on_message(message, self.now);
        self.collect();
    }

    fn spawn(&mut self, timestamp_s: f64, users: &[(&str, u64)]) {
        let users = users.iter();
        self.hear(Incoming::Spawn(Spawn {
            timestamp_s,
            users: users
                .map(|(class, users)| ((*class).to_owned(), *users))
                .collect(),
            settings: Settings::default(),
        }));
    }

    fn begin(&mut self, lane: usize) {
        self.protocol
            .on_began(lane, vec![("GET".into(), "/".into())]);
    }

    /// A second of a lane, with so many users and requests so far.
    fn second(&mut self, lane: usize, users: u64, requests: u64) {
        self.tick += 1;
        let mut second = Interval::new(1);
        second.users = users;
        let mut step = StepInterval {
            requests,
            ..StepInterval::default()
        };
        (0..requests).for_each(|_| step.response.record(1_000_000));
        let tick = Tick {
            number: self.tick,
            begin_ns: (self.tick - 1) * 1_000_000_000,
            end_ns: self.tick * 1_000_000_000,
            load_from_ns: Some(0),
            second,
            so_far: vec![step],
            failures: Failures::default(),
            level: None,
            verdict: Status::Valid,
        };
        self.protocol.on_tick(lane, &Arc::new(tick), self.now);
        self.collect();
    }

    fn ended(&mut self, lane: usize) {
        self.protocol.on_ended(lane, self.now);
        self.collect();
    }

    /// Time passes, in steps of the loop's.
    fn pass(&mut self, ms: u64) {
        for _ in 0..=ms / 20 {
            self.protocol.on_time(&|| 64, self.now);
            self.collect();
            if ms > 0 {
                self.now.ms += 20;
                self.now.epoch_s += 0.02;
            }
        }
    }

    /// The same, while the master answers every heartbeat.
    fn pass_with_master(&mut self, ms: u64) {
        for _ in 0..ms / 500 {
            self.pass(480);
            self.hear(Incoming::Heartbeat);
        }
    }

    fn collect(&mut self) {
        for action in self.protocol.take_actions() {
            let word = match action {
                Action::Connect => "connect".to_owned(),
                Action::Return => "return".to_owned(),
                Action::CloseEarlier => "close earlier".to_owned(),
                Action::Begin {
                    lane, test, users, ..
                } => format!("begin {lane} test {test}: {users}"),
                Action::Users { lane, users } => format!("users {lane}: {users}"),
                Action::End { lane } => format!("end {lane}"),
                Action::CutOff { lane } => format!("cut off {lane}"),
                Action::Say(_) => continue,
                Action::Leave(left) => format!("leave {left:?}"),
                Action::Send(message) => {
                    self.sent.push(message.clone());
                    word(&message)
                }
            };
            self.words.push(word);
        }
    }

    /// Compares what was done since the last look.
    #[track_caller]
    fn check(&mut self, expected: &[&str]) {
        self.collect();
        assert_eq!(std::mem::take(&mut self.words), expected);
    }

    /// The same without heartbeats.
    #[track_caller]
    fn check_beside_heartbeats(&mut self, expected: &[&str]) {
        self.collect();
        self.words.retain(|word| !word.starts_with("heartbeat"));
        self.check(expected);
    }
}

fn word(message: &Outgoing) -> String {
    let sum = |users: &Users| users.iter().map(|(_, users)| users).sum::<u64>();
    match message {
        Outgoing::ClientReady => "client_ready".into(),
        Outgoing::Heartbeat { state, .. } => format!("heartbeat {state}"),
        Outgoing::Stats(report) => {
            format!(
                "stats {} of {} users",
                report.total.requests,
                sum(&report.users)
            )
        }
        Outgoing::Spawning => "spawning".into(),
        Outgoing::SpawningComplete(users) => format!("spawning_complete {}", sum(users)),
        Outgoing::ClientStopped => "client_stopped".into(),
        Outgoing::Quit => "quit".into(),
        Outgoing::Exception { .. } => "exception".into(),
    }
}

#[test]
fn client_ready_is_repeated_until_it_is_acknowledged_and_then_under_a_new_identity() {
    let mut bench = Bench::new(Classes::All);
    bench.pass(1_000);
    bench.check(&[]);
    bench.protocol.on_connected(bench.now);
    bench.pass(26_000);
    bench.check(&["client_ready"; 6]);
    bench.pass(5_000);
    bench.check(&["connect"]);
}

#[test]
fn a_heartbeat_comes_each_second_and_a_report_every_three_with_or_without_a_test() {
    let mut bench = Bench::known();
    bench.pass_with_master(6_000);
    let count = |start: &str| {
        bench
            .words
            .iter()
            .filter(|word| word.starts_with(start))
            .count()
    };
    assert!((5..=6).contains(&count("heartbeat")), "{:?}", bench.words);
    assert_eq!(count("stats"), 1);
    // All that the master demands of a heartbeat is in its type; of a report, the least time is nil.
    let report = bench.sent.iter().find_map(|message| match message {
        Outgoing::Stats(report) => Some(report),
        _ => None,
    });
    assert_eq!(report.expect("a report").total.min_ms, None);
}

#[test]
fn spawn_gives_totals_up_and_down_and_an_old_one_is_ignored() {
    let mut bench = Bench::running();
    bench.spawn(2.0, &[("A", 25)]);
    bench.second(0, 10, 8);
    bench.second(0, 25, 9);
    bench.check(&["spawning", "users 0: 25", "spawning_complete 25"]);
    bench.spawn(3.0, &[("A", 4)]);
    bench.spawn(2.5, &[("A", 99)]);
    bench.second(0, 4, 12);
    bench.check(&["spawning", "users 0: 4", "spawning_complete 4"]);
    // The same number again: nothing to do but to say so.
    bench.spawn(4.0, &[("A", 4)]);
    bench.check(&["spawning", "spawning_complete 4"]);
    // To none, and back: the session goes on.
    bench.spawn(5.0, &[("A", 0)]);
    bench.second(0, 0, 12);
    bench.spawn(6.0, &[("A", 2)]);
    bench.check(&[
        "spawning",
        "users 0: 0",
        "spawning_complete 0",
        "spawning",
        "users 0: 2",
    ]);
}

#[test]
fn a_share_of_no_users_begins_nothing() {
    let mut bench = Bench::known();
    bench.spawn(1.0, &[("A", 0)]);
    bench.check(&["spawning", "spawning_complete 0"]);
    bench.spawn(2.0, &[("A", 1)]);
    bench.check(&["spawning", "begin 0 test 1: 1"]);
}

#[test]
fn spawning_complete_tells_the_users_that_there_are_when_the_others_do_not_come() {
    let mut bench = Bench::known();
    bench.spawn(1.0, &[("A", 10)]);
    bench.begin(0);
    bench.second(0, 6, 0);
    bench.pass_with_master(11_000);
    assert!(
        bench.words.contains(&"spawning_complete 6".to_owned()),
        "{:?}",
        bench.words
    );
}

#[test]
fn stop_sends_the_rest_of_the_figures_before_client_stopped() {
    let mut bench = Bench::running();
    bench.hear(Incoming::Stop);
    bench.check(&["end 0"]);
    bench.pass(200);
    bench.second(0, 0, 9);
    bench.ended(0);
    bench.check_beside_heartbeats(&["stats 9 of 0 users", "client_stopped", "client_ready"]);
    // No heartbeat but `ready` ones after it, or the master's page would stay in "stopping".
    bench.hear(Incoming::Ack);
    bench.pass(1_200);
    assert!(
        bench
            .words
            .iter()
            .all(|word| !word.contains("running") && !word.contains("stopping"))
    );
    bench.words.clear();
    // The next test has figures of its own.
    bench.spawn(9.0, &[("A", 3)]);
    bench.check(&["spawning", "begin 0 test 2: 3"]);
}

#[test]
fn requests_that_outlast_the_stop_timeout_are_cut_off() {
    let mut bench = Bench::running();
    bench.protocol.settings.stop_timeout_s = 0.6;
    bench.hear(Incoming::Stop);
    bench.pass(500);
    bench.check_beside_heartbeats(&["end 0"]);
    bench.pass(200);
    bench.check_beside_heartbeats(&["cut off 0"]);
}

#[test]
fn a_spawn_that_comes_while_a_test_is_ended_begins_the_next_one() {
    let mut bench = Bench::running();
    bench.hear(Incoming::Stop);
    bench.spawn(9.0, &[("A", 5)]);
    bench.check(&["end 0"]);
    bench.ended(0);
    let expected = [
        "stats 4 of 0 users",
        "client_stopped",
        "client_ready",
        "spawning",
        "begin 0 test 2: 5",
    ];
    bench.check(&expected);
}

#[test]
fn after_quit_the_last_figures_leave_within_half_a_second_whatever_the_session_does() {
    let mut bench = Bench::running();
    bench.hear(Incoming::Quit);
    bench.pass(180);
    bench.check_beside_heartbeats(&["end 0"]);
    bench.pass(260);
    bench.check(&["cut off 0", "stats 4 of 10 users", "quit", "leave Quit"]);
    bench.hear(Incoming::Stop);
    bench.pass(2_000);
    bench.check(&[]);
}

#[test]
fn after_quit_the_session_that_has_ended_is_reported_at_once() {
    let mut bench = Bench::running();
    bench.hear(Incoming::Quit);
    bench.second(0, 0, 11);
    bench.ended(0);
    bench.check(&["end 0", "stats 11 of 0 users", "quit", "leave Quit"]);
}

#[test]
fn a_signal_reports_and_takes_leave_of_the_master() {
    let mut bench = Bench::running();
    bench.protocol.on_interrupt(bench.now);
    bench.ended(0);
    bench.check(&["end 0", "stats 4 of 0 users", "quit", "leave Interrupted"]);
}

#[test]
fn a_master_that_says_reconnect_or_nothing_gets_a_new_connection() {
    let mut bench = Bench::known();
    bench.hear(Incoming::Reconnect);
    bench.check(&["connect"]);
    let mut bench = Bench::known();
    bench.pass_with_master(2_000);
    bench.pass(14_000);
    assert!(!bench.words.contains(&"connect".to_owned()));
    bench.pass(1_500);
    assert_eq!(bench.words.last().map(String::as_str), Some("connect"));
}

#[test]
fn a_cut_connection_comes_back_under_the_same_identity_and_nothing_has_changed() {
    let mut bench = Bench::running();
    bench.protocol.on_lost("cut", bench.now);
    bench.check(&["return"]);
    bench.pass(500);
    bench.second(0, 10, 40);
    bench.protocol.on_connected(bench.now);
    bench.pass(0);
    // No `client_ready`: to the master, this worker was never away.
    bench.check(&["heartbeat running"]);
    bench.hear(Incoming::Heartbeat);
    bench.pass(0);
    bench.check(&["stats 40 of 10 users"]);
    bench.pass_with_master(2_000);
    bench.check_beside_heartbeats(&[]);
}

#[test]
fn a_connection_that_is_lost_again_or_brings_no_answer_is_followed_by_one_under_a_new_identity() {
    let mut bench = Bench::running();
    bench.protocol.on_lost("cut", bench.now);
    bench.protocol.on_connected(bench.now);
    bench.protocol.on_lost("cut", bench.now);
    bench.check(&["return", "connect"]);
    let mut bench = Bench::running();
    bench.protocol.on_lost("cut", bench.now);
    bench.protocol.on_connected(bench.now);
    bench.pass(1_900);
    bench.check_beside_heartbeats(&["return"]);
    bench.pass(100);
    bench.check_beside_heartbeats(&["connect"]);
}

#[test]
fn users_go_on_over_a_new_identity_when_the_master_wants_them_again() {
    let mut bench = Bench::running();
    bench.hear(Incoming::Reconnect);
    bench.check(&["connect"]);
    bench.pass(3_000);
    bench.second(0, 10, 40);
    bench.protocol.on_connected(bench.now);
    bench.hear(Incoming::Ack);
    bench.pass(1_000);
    // Nothing is reported, and nothing said of users, before the master has said what it wants.
    assert!(!bench.words.contains(&"heartbeat running".to_owned()));
    bench.check_beside_heartbeats(&["client_ready"]);
    bench.spawn(0.5, &[("A", 10)]);
    bench.pass(1_000);
    assert!(bench.words.contains(&"heartbeat running".to_owned()));
    bench.check_beside_heartbeats(&["spawning", "spawning_complete 10", "stats 40 of 10 users"]);
    // The master lists the old identity as missing, and would not end the test before it has dropped it.
    bench.hear(Incoming::Stop);
    bench.check_beside_heartbeats(&["close earlier", "end 0"]);
}

#[test]
fn users_end_when_a_restarted_master_has_no_test_for_them() {
    let mut bench = Bench::running();
    bench.protocol.on_lost("cut", bench.now);
    bench.protocol.on_connected(bench.now);
    bench.pass(2_000);
    bench.check_beside_heartbeats(&["return", "connect"]);
    bench.protocol.on_connected(bench.now);
    bench.hear(Incoming::Ack);
    bench.pass(6_500);
    // The new master may begin a test meanwhile.
    assert!(bench.words.iter().all(|word| !word.contains("stopping")));
    let expected = ["client_ready", "end 0", "stats 4 of 10 users", "cut off 0"];
    bench.check_beside_heartbeats(&expected);
    bench.second(0, 0, 7);
    bench.ended(0);
    bench.pass(20);
    // It was not told to stop: the figures alone are owed.
    bench.check_beside_heartbeats(&["stats 3 of 0 users"]);
}

#[test]
fn users_end_a_minute_after_the_master_and_the_worker_four_minutes_later() {
    let mut bench = Bench::running();
    bench.protocol.on_lost("cut", bench.now);
    bench.pass(59_000);
    // Not under the same identity for longer than a second.
    bench.check(&["return", "connect"]);
    bench.pass(1_500);
    bench.check(&["end 0", "cut off 0"]);
    bench.ended(0);
    bench.pass(235_000);
    bench.check(&[]);
    bench.pass(6_000);
    bench.check(&["leave NoMaster"]);
}

#[test]
fn classes_with_scenarios_have_lanes_and_the_others_are_reported() {
    let classes = vec![
        ("A".to_owned(), 0),
        ("B".to_owned(), 1),
        ("C".to_owned(), 0),
    ];
    let mut bench = Bench::new(Classes::Named(classes));
    bench.protocol.on_connected(bench.now);
    bench.hear(Incoming::Ack);
    bench.words.clear();
    bench.spawn(1.0, &[("A", 3), ("B", 4), ("C", 2), ("D", 1)]);
    bench.check(&[
        "spawning",
        "exception",
        "begin 0 test 1: 5",
        "begin 1 test 1: 4",
    ]);
    bench.begin(0);
    bench.begin(1);
    bench.second(1, 4, 2);
    bench.check(&[]);
    bench.second(0, 5, 2);
    bench.check(&["spawning_complete 9"]);
    let users = bench.sent.iter().rev().find_map(|message| match message {
        Outgoing::SpawningComplete(users) => Some(users.clone()),
        _ => None,
    });
    let expected = [("A", 3), ("B", 4), ("C", 2), ("D", 0)];
    let expected = expected.map(|(class, users)| (class.to_owned(), users));
    assert_eq!(users.expect("said"), expected);
    // Each class is named once.
    bench.spawn(2.0, &[("A", 3), ("B", 4), ("C", 2), ("D", 2)]);
    bench.check(&["spawning", "spawning_complete 9"]);
    bench.hear(Incoming::Stop);
    bench.ended(1);
    bench.check(&["end 0", "end 1"]);
    bench.ended(0);
    bench.check(&["stats 4 of 0 users", "client_stopped", "client_ready"]);
}

#[test]
fn users_of_several_classes_are_echoed_in_proportion() {
    let mut bench = Bench::known();
    bench.spawn(1.0, &[("A", 6), ("B", 3)]);
    bench.begin(0);
    bench.second(0, 4, 0);
    let users = bench.protocol.present();
    assert_eq!(users, [("A".to_owned(), 2), ("B".to_owned(), 2)]);
    assert_eq!(users.iter().map(|(_, users)| users).sum::<u64>(), 4);
}

#[test]
fn a_session_that_failed_is_tried_again_by_the_next_change_and_loses_no_figure() {
    let mut bench = Bench::running();
    bench.second(0, 0, 6);
    bench.ended(0);
    bench.spawn(2.0, &[("A", 12)]);
    bench.begin(0);
    bench.tick = 0;
    bench.second(0, 12, 5);
    bench.check(&["spawning", "begin 0 test 1: 12", "spawning_complete 12"]);
    bench.hear(Incoming::Stop);
    bench.ended(0);
    bench.check(&[
        "end 0",
        "stats 11 of 0 users",
        "client_stopped",
        "client_ready",
    ]);
}

#[test]
fn unknown_messages_change_nothing() {
    let mut bench = Bench::running();
    bench.hear(Incoming::Other("to_worker".into()));
    bench.hear(Incoming::SpawningComplete);
    bench.hear(Incoming::Ack);
    bench.check(&[]);
}

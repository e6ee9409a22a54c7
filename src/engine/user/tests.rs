//! Stories of a user: what it is told, what it wants, and when that is due.

use super::*;
use crate::load::random::Keyed;
use crate::scenario::format::compile::{Context, compile};
use crate::scenario::model::{OnFailure, Scenario};

const MS: u64 = 1_000_000;

/// Two start steps, the second a poll, then one task with a wait of 100 ms.
const WORK: &str = r#"
        name = "x"
        wait = "100ms"
        [[start]]
        method = "POST"
        path = "/first"
        [[start]]
        method = "GET"
        path = "/poll"
        retry_every = "10ms"
        give_up_after = "25ms"
        [[task]]
        method = "GET"
        path = "/work"
    "#;

fn scenario(text: &str) -> Scenario {
    compile("x.toml", text, &Context::plain()).expect("a valid scenario")
}

/// A user of a scenario's first kind, with the number 0.
fn acting<'u>(
    scenario: &'u Scenario,
    (user, passes): (&'u mut User, &'u mut u64),
    tally: Option<&'u mut Tally>,
    values: &'u mut [u8],
) -> Acting<'u> {
    Acting {
        user,
        tally,
        passes,
        values,
        number: 0,
        script: Script {
            scenario,
            kind: &scenario.kinds[0],
            random: Keyed::new(1),
            is_open: false,
        },
        passed_over: [0..0, 0..0],
        failed_in: None,
    }
}

const GAVE_UP: Option<PollEnd> = Some(PollEnd::GaveUp { step: 1 });

fn ready(after_ms: u64) -> Option<PollEnd> {
    Some(PollEnd::Ready {
        step: 1,
        after_ns: after_ms * MS,
    })
}

fn answered(answer: Answer, service_ms: u64, done_ms: u64) -> Happening {
    Happening::Answered {
        answer,
        service_ns: service_ms * MS,
        done_ns: done_ms * MS,
    }
}

/// Tells a user of a scenario what happens. After each happening it must want the given action, due at the given time in
/// ms, and have ended its poll as given.
fn check_of(text: &str, story: &[(Happening, Action, u64, Option<PollEnd>)]) {
    let scenario = scenario(text);
    let mut values = vec![0; scenario.variables.stride()];
    let (mut state, mut passes) = (User::new(0), 0);
    let mut tally = Tally::new(0, Some(2), 0);
    let state = (&mut state, &mut passes);
    let mut user = acting(&scenario, state, Some(&mut tally), &mut values);
    assert_eq!(user.begin().action, Action::Send(0));
    for (index, (happening, action, due_ms, poll)) in story.iter().enumerate() {
        let next = user.next(*happening);
        assert_eq!((next.action, next.poll), (*action, *poll), "at {index}");
        assert_eq!(user.user.intended_ns, due_ms * MS, "at {index}");
    }
}

fn check(story: &[(Happening, Action, u64, Option<PollEnd>)]) {
    check_of(WORK, story);
}

#[test]
fn lateness_is_inherited_within_a_pass_and_a_wait_begins_with_the_answer() {
    let success = Answer::Success;
    check(&[
        // Sent 15 ms late, answered after 5: the next request was due at 5, though it is 20 already.
        (answered(success, 5, 20), Action::Send(1), 5, None),
        (answered(success, 3, 24), Action::Send(2), 8, ready(19)),
        (
            answered(success, 2, 30),
            Action::SleepUntil(130 * MS),
            130,
            None,
        ),
        (Happening::Woken, Action::Send(2), 130, None),
        (answered(Answer::Failed, 2, 140), Action::Finish, 140, None),
    ]);
}

#[test]
fn a_poll_asks_again_at_its_times_and_gives_up_at_its_time() {
    let not_yet = Answer::NotYet;
    check(&[
        (answered(Answer::Success, 1, 1), Action::Send(1), 1, None),
        (
            answered(not_yet, 2, 3),
            Action::SleepUntil(11 * MS),
            11,
            None,
        ),
        (Happening::Woken, Action::Send(1), 11, None),
        // Answered after the next attempt was due: that one goes out at once.
        (answered(not_yet, 11, 22), Action::Send(1), 22, None),
        // The next attempt would be due at 32, and the poll gives up at 26: it waits for that.
        (
            answered(not_yet, 1, 23),
            Action::SleepUntil(26 * MS),
            26,
            GAVE_UP,
        ),
        (Happening::Woken, Action::Send(2), 26, None),
    ]);
}

#[test]
fn an_attempt_that_ends_after_the_time_to_give_up_is_the_last() {
    for answer in [Answer::NotYet, Answer::Failed] {
        check(&[
            (answered(Answer::Success, 1, 1), Action::Send(1), 1, None),
            (
                answered(answer, 40, 41),
                Action::SleepUntil(41 * MS),
                41,
                GAVE_UP,
            ),
            (Happening::Woken, Action::Send(2), 41, None),
        ]);
    }
}

#[test]
fn an_answer_that_ends_a_poll_is_not_asked_for_again() {
    check(&[
        (answered(Answer::Success, 1, 1), Action::Send(1), 1, None),
        (answered(Answer::PollFailed, 2, 3), Action::Send(2), 3, None),
    ]);
}

/// A task of three steps (one with a pause, a poll, and another) with a time limit of 20 ms.
const TIMED: &str = r#"
        name = "x"
        wait = "100ms"
        [[task]]
        within = "20ms"
        [[task.step]]
        method = "GET"
        path = "/first"
        pause = "5ms"
        on_failure = "stop"
        [[task.step]]
        method = "GET"
        path = "/poll"
        retry_every = "8ms"
        give_up_after = "1s"
        [[task.step]]
        method = "GET"
        path = "/last"
    "#;

#[test]
fn nothing_of_a_task_is_due_after_its_time() {
    let (success, not_yet) = (Answer::Success, Answer::NotYet);
    check_of(
        TIMED,
        &[
            // The pause would end at 22.
            (
                answered(success, 17, 17),
                Action::SleepUntil(20 * MS),
                20,
                None,
            ),
            (Happening::Woken, Action::Send(1), 20, None),
            // Its time is over before it is sent; the task fails, whatever the step wants on failure.
            (
                answered(Answer::TaskOver, 0, 20),
                Action::SleepUntil(120 * MS),
                120,
                None,
            ),
            (Happening::Woken, Action::Send(0), 120, None),
            (
                answered(success, 2, 122),
                Action::SleepUntil(127 * MS),
                127,
                None,
            ),
            (Happening::Woken, Action::Send(1), 127, None),
            (
                answered(not_yet, 1, 128),
                Action::SleepUntil(135 * MS),
                135,
                None,
            ),
            (Happening::Woken, Action::Send(1), 135, None),
            // The next attempt would be due at 143. The poll does not give up: its own time for that is far off.
            (
                answered(not_yet, 1, 136),
                Action::SleepUntil(140 * MS),
                140,
                None,
            ),
            (Happening::Woken, Action::Send(1), 140, None),
            (
                answered(Answer::TaskOver, 0, 140),
                Action::Finish,
                140,
                None,
            ),
        ],
    );
}

#[test]
fn after_steps_at_once_the_next_one_is_due_when_the_slowest_should_have_ended_or_a_failure_has() {
    let text = r#"
        name = "x"
        wait = "100ms"
        [[task]]
        [[task.step]]
        pause = "5ms"
        together = [{ method = "GET", path = "/a" }, { method = "GET", path = "/b" }]
        [[task.step]]
        method = "GET"
        path = "/c"
    "#;
    let sleep = |until_ms: u64| Action::SleepUntil(until_ms * MS);
    for (has_failed, ending, action, due_ms) in [
        // Noticed 10 ms late: the next request was due 5 ms after the answer should have been there.
        (false, OnFailure::GoOn, Action::Send(2), 25),
        (true, OnFailure::GoOn, sleep(35), 35),
        (true, OnFailure::EndTask, sleep(130), 130),
        (true, OnFailure::Stop, Action::Finish, 30),
    ] {
        let scenario = scenario(text);
        let mut values = vec![0; scenario.variables.stride()];
        let (mut state, mut passes) = (User::new(0), 0);
        let mut user = acting(&scenario, (&mut state, &mut passes), None, &mut values);
        assert_eq!(user.begin().action, Action::Send(0));
        let next = user.on_all_answered(AllAnswered {
            count: 2,
            has_failed,
            ending,
            service_ns: 20 * MS,
            done_ns: 30 * MS,
        });
        assert_eq!((next.action, user.user.intended_ns), (action, due_ms * MS));
        // Each of them had a number of its own.
        assert_eq!(user.user.request_number(), 3);
    }
}

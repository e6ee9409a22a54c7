use super::*;

const S: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

/// Feeds seconds of so many answers, each after so long, with so many requests open at the end of each.
fn fed(seconds: &[(u64, u64, u64)]) -> Silences {
    let mut silences = Silences::default();
    for (index, &(answers, took_ns, open)) in seconds.iter().enumerate() {
        let mut responses = Latencies::default();
        (0..answers).for_each(|_| responses.record(took_ns));
        let begin_ns = index as u64 * S;
        silences.on_second((begin_ns, begin_ns + S), open, answers, &responses);
    }
    silences
}

fn worst(seconds: &[(u64, u64, u64)], service_p99_ns: u64) -> Option<Silence> {
    fed(seconds).worst(seconds.len() as u64 * S, service_p99_ns)
}

/// `quick` seconds of answers, then `silent` ones without.
fn hung(quick: usize, took_ns: u64, silent: usize) -> Vec<(u64, u64, u64)> {
    let mut seconds = vec![(100, took_ns, 10); quick];
    seconds.extend(vec![(0, 0, 10); silent]);
    seconds
}

#[test]
fn a_server_that_hangs_to_the_end_is_silent_from_then_on() {
    let silence = worst(&hung(4, 8 * MS, 16), 8 * MS).expect("sixteen seconds");
    assert_eq!((silence.from_ns, silence.to_ns), (4 * S, None));
    assert_eq!(silence.answers_per_s, Some(100.0));
    assert!((7 * MS..9 * MS).contains(&silence.p99_ns), "{silence:?}");
    assert_eq!(silence.open, 10);
}

#[test]
fn five_seconds_without_an_answer_are_a_silence_and_four_are_not() {
    assert_eq!(worst(&hung(4, 8 * MS, 4), 8 * MS), None);
    assert!(worst(&hung(4, 8 * MS, 5), 8 * MS).is_some());
    assert!(!fed(&hung(4, 8 * MS, 4)).is_silent());
    assert!(fed(&hung(4, 8 * MS, 5)).is_silent());
}

#[test]
fn a_service_that_is_slow_is_not_silent_before_ten_times_its_p99() {
    assert_eq!(worst(&hung(4, 700 * MS, 6), 700 * MS), None);
    assert!(worst(&hung(4, 700 * MS, 8), 700 * MS).is_some());
}

#[test]
fn a_second_without_an_open_request_ends_a_silence() {
    let mut seconds = hung(4, 8 * MS, 8);
    // At one moment: between time limits and the next requests.
    seconds[7].2 = 0;
    assert!(worst(&seconds, 8 * MS).is_some());
    // For a second.
    seconds[8].2 = 0;
    assert_eq!(worst(&seconds, 8 * MS), None);
}

#[test]
fn a_rare_answer_may_be_missing_by_chance() {
    // One answer in ten seconds: a silence of 16 s has missed less than two.
    let mut seconds = vec![(0, 0, 0); 20];
    (seconds[0], seconds[10]) = ((1, 8 * MS, 0), (1, 8 * MS, 1));
    seconds.extend([(0, 0, 1); 16]);
    seconds[11..20].fill((0, 0, 1));
    assert_eq!(worst(&seconds, 8 * MS), None);
}

#[test]
fn a_server_that_never_answers_is_silent_from_the_start() {
    let silence = worst(&hung(0, 0, 6), 0).expect("six seconds");
    assert_eq!((silence.from_ns, silence.answers_per_s), (0, None));
}

#[test]
fn a_first_answer_that_took_long_is_a_slow_service() {
    let seconds = [&[(0, 0, 10); 7][..], &[(10, 7 * S, 10); 3]].concat();
    assert_eq!(worst(&seconds, 7 * S), None);
}

#[test]
fn a_silence_that_ended_counts_unless_the_service_is_always_so_slow() {
    let seconds = [&hung(4, 8 * MS, 7)[..], &hung(9, 8 * MS, 0)].concat();
    let silence = worst(&seconds, 8 * MS).expect("seven seconds");
    assert_eq!((silence.from_ns, silence.to_ns), (4 * S, Some(11 * S)));
    // Answers that came after 7 s were those of a step that takes 7 s.
    assert_eq!(worst(&seconds, 7 * S), None);
}

#[test]
fn seconds_after_the_load_do_not_begin_or_lengthen_a_silence() {
    let silences = fed(&hung(4, 8 * MS, 6));
    assert_eq!(silences.worst(4 * S + 4_900 * MS, 8 * MS), None);
    assert!(silences.worst(9 * S, 8 * MS).is_some());
    let mut quick = fed(&hung(4, 8 * MS, 0));
    (5..12).for_each(|second| quick.on_drain(second * S, 0));
    assert_eq!(quick.worst(4 * S, 8 * MS), None);
}

#[test]
fn a_silence_of_the_load_goes_on_in_the_drain_until_an_answer() {
    let drained = |answers: [u64; 3]| {
        let mut silences = fed(&hung(4, 8 * MS, 3));
        for (second, answers) in (8..).zip(answers) {
            silences.on_drain(second * S, answers);
        }
        silences.worst(7 * S, 8 * MS)
    };
    let silence = drained([0, 0, 0]).expect("three seconds and three");
    assert_eq!((silence.from_ns, silence.to_ns), (4 * S, None));
    // Five seconds, and an answer in the sixth.
    assert!(drained([0, 0, 1]).is_some());
    assert_eq!(drained([0, 1, 0]), None);
    assert_eq!(drained([1, 0, 0]), None);
}

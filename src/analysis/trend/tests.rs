use super::*;

/// Evenly distributed from 0 to 1, from a seed.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.next()).ln()
    }
}

/// Means by second of the response times of an M/M/1 queue, after it has run in; the service time becomes `slower`
/// times as long within the window.
fn queue(draws: &mut Draws, per_second: f64, load: f64, seconds: usize, slower: f64) -> Vec<f64> {
    let run_in = 4_000.0 / per_second;
    let (mut arrival, mut free) = (-run_in, -run_in);
    let mut sums = vec![(0.0, 0.0); seconds];
    while arrival < seconds as f64 {
        arrival += draws.exponential(1.0 / (per_second * load));
        let part = (arrival / seconds as f64).clamp(0.0, 1.0);
        let service = draws.exponential(1.0 / per_second) * (1.0 + (slower - 1.0) * part);
        free = arrival.max(free) + service;
        if free >= 0.0 && free < seconds as f64 {
            let (sum, count) = &mut sums[free as usize];
            *sum += free - arrival;
            *count += 1.0;
        }
    }
    let answered = sums.iter().filter(|(_, count)| *count > 0.0);
    answered.map(|(sum, count)| sum / count).collect()
}

fn share_of_growing(per_second: f64, load: f64, seconds: usize, slower: f64) -> f64 {
    let mut draws = Draws(11);
    let mut grown = 0;
    for _ in 0..200 {
        let by_second = queue(&mut draws, per_second, load, seconds, slower);
        grown += usize::from(growth(&by_second).is_some());
    }
    grown as f64 / 200.0
}

#[test]
fn steady_queues_are_hardly_ever_taken_for_growing() {
    for (per_second, load, seconds) in [
        (200.0, 0.5, 6),
        (200.0, 0.8, 10),
        (200.0, 0.9, 10),
        (100.0, 0.9, 15),
        (50.0, 0.8, 30),
        (200.0, 0.95, 30),
    ] {
        let share = share_of_growing(per_second, load, seconds, 1.0);
        assert!(
            share <= 0.05,
            "{per_second}/s at {load}, {seconds} s: {share}"
        );
    }
}

#[test]
fn a_service_that_slows_down_or_a_queue_that_grows_is_found() {
    // Idle enough for its response time to be its service time, three times as long at the end.
    let share = share_of_growing(1_000.0, 0.2, 15, 3.0);
    assert!(share >= 0.95, "{share}");
    // More than it can do: the queue grows by 20 requests a second.
    let mut draws = Draws(5);
    let grown = (0..100).filter(|_| {
        let mut backlog = 0.0;
        let noise = (0..10).map(|_| {
            backlog += 20.0;
            0.01 + backlog / 200.0 * (0.8 + 0.4 * draws.next())
        });
        growth(&noise.collect::<Vec<f64>>()).is_some()
    });
    assert!(grown.count() >= 95);
}

#[test]
fn a_stall_a_step_too_small_and_too_few_seconds_are_no_growth() {
    let flat = [10.0, 11.0, 10.5, 10.0, 11.0, 10.2, 10.1, 10.8, 10.4, 10.3];
    assert_eq!(growth(&flat), None);
    let mut stalled = flat;
    stalled[9] = 900.0;
    assert_eq!(growth(&stalled), None);
    let small: Vec<f64> = (0..10)
        .map(|second| 10.0 + 0.2 * f64::from(second))
        .collect();
    assert_eq!(growth(&small), None);
    let doubled: Vec<f64> = (0..9)
        .map(|second| 10.0 + 2.0 * f64::from(second))
        .collect();
    let expected = Growth {
        from: 12.0,
        to: 24.0,
    };
    assert_eq!(growth(&doubled), Some(expected));
    assert_eq!(growth(&doubled[..5]), None);
}

//! Which core does what: shards and stand-in apart where there are enough.
//!
//! Threads are pinned only where this process has one for every core that it may use. With fewer, other processes of
//! opsurge may be on this machine (workers, parts, pods whose CPU quota is below the machine), and each would pin its
//! threads to the same first cores. Then the kernel places them; `taskset` narrows the cores, and so pins again.

/// The cores of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cores {
    /// One per shard; `None`: the kernel places it.
    pub shards: Vec<Option<usize>>,
    /// One per thread of the stand-in, likewise; empty without one.
    pub stand_in: Vec<Option<usize>>,
    /// Stand-in and generator have a core in common, or several shards do.
    pub shared: bool,
}

/// Shares out the allowed cores. The stand-in gets the larger half: it parses JSON, which costs more than our side.
/// `wanted` shards are put on what is left, in turn, and never more than `shards_max` of them. By default there are no
/// more threads in all than the CPU quota has cores: more would use it up early and stand still for the rest of each
/// period.
pub fn share_out(
    allowed: &[usize],
    quota_cores: Option<f64>,
    wanted: Option<usize>,
    mock: bool,
    shards_max: usize,
) -> Cores {
    assert!(!allowed.is_empty(), "a running process has a core");
    let of_machine = allowed.len();
    let allowed = match wanted {
        Some(_) => allowed,
        None => &allowed[..cores_within(quota_cores, of_machine)],
    };
    let for_stand_in = match (mock, allowed.len()) {
        (false, _) => 0,
        (true, 1) => 1,
        (true, count) => count.div_ceil(2).min(count - 1),
    };
    let stand_in = allowed[allowed.len() - for_stand_in..].to_vec();
    let left = match allowed.len() - for_stand_in {
        0 => allowed,
        count => &allowed[..count],
    };
    let count = wanted.unwrap_or(left.len()).min(shards_max.max(1));
    let shards: Vec<usize> = left.iter().copied().cycle().take(count).collect();
    let shared = count > left.len() || stand_in.iter().any(|core| shards.contains(core));
    let is_pinned = shards.len() + stand_in.len() >= of_machine;
    Cores {
        shards: placed(shards, is_pinned),
        stand_in: placed(stand_in, is_pinned),
        shared,
    }
}

/// The cores of the threads of a stand-in that has the machine to itself.
pub fn of_stand_in(allowed: &[usize], threads: usize) -> Vec<Option<usize>> {
    let cores = allowed.iter().copied().cycle().take(threads).collect();
    placed(cores, threads >= allowed.len())
}

fn placed(cores: Vec<usize>, is_pinned: bool) -> Vec<Option<usize>> {
    cores
        .into_iter()
        .map(|core| is_pinned.then_some(core))
        .collect()
}

/// How many of the allowed cores a CPU quota can keep busy; half a core keeps one of them.
pub fn cores_within(quota_cores: Option<f64>, allowed: usize) -> usize {
    quota_cores.map_or(allowed, |quota| (quota as usize).clamp(1, allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_bounds_the_threads_unless_shards_are_asked_for() {
        let allowed = [0, 1, 2, 3];
        let count = |quota, wanted, mock| {
            let cores = share_out(&allowed, quota, wanted, mock, 50);
            (cores.shards.len(), cores.stand_in.len())
        };
        assert_eq!(count(None, None, false), (4, 0));
        assert_eq!(count(Some(0.5), None, false), (1, 0));
        assert_eq!(count(Some(2.0), None, false), (2, 0));
        assert_eq!(count(Some(2.9), None, false), (2, 0));
        assert_eq!(count(Some(64.0), None, false), (4, 0));
        assert_eq!(count(Some(2.0), None, true), (1, 1));
        assert_eq!(count(Some(0.5), Some(3), false), (3, 0));
    }

    fn check(
        allowed: &[usize],
        wanted: Option<usize>,
        mock: bool,
        users_max: usize,
        expected: (&[usize], &[usize], bool),
    ) {
        let cores = share_out(allowed, None, wanted, mock, users_max);
        let expected = Cores {
            shards: placed(expected.0.to_vec(), true),
            stand_in: placed(expected.1.to_vec(), true),
            shared: expected.2,
        };
        assert_eq!(cores, expected);
    }

    #[test]
    fn stand_in_and_shards_are_kept_apart_where_there_are_enough_cores() {
        check(&[0, 1], None, true, 50, (&[0], &[1], false));
        check(
            &[0, 1, 2, 3, 4],
            None,
            true,
            50,
            (&[0, 1], &[2, 3, 4], false),
        );
        check(&[3], None, true, 50, (&[3], &[3], true));
    }

    #[test]
    fn without_a_stand_in_every_allowed_core_has_a_shard() {
        check(&[2, 5], None, false, 50, (&[2, 5], &[], false));
        check(&[2, 5], Some(3), false, 50, (&[2, 5, 2], &[], true));
        check(&[2], Some(1), false, 50, (&[2], &[], false));
    }

    #[test]
    fn the_kernel_places_the_threads_of_a_process_that_leaves_cores_to_others() {
        let unpinned = |quota, wanted, mock, shards_max| {
            let cores = share_out(&[2, 5, 6, 7], quota, wanted, mock, shards_max);
            assert!(
                cores
                    .shards
                    .iter()
                    .chain(&cores.stand_in)
                    .all(Option::is_none)
            );
            (cores.shards.len(), cores.stand_in.len())
        };
        assert_eq!(unpinned(None, Some(1), false, 50), (1, 0));
        assert_eq!(unpinned(None, None, false, 3), (3, 0));
        assert_eq!(unpinned(Some(2.0), None, false, 50), (2, 0));
        assert_eq!(unpinned(None, Some(1), true, 50), (1, 2));
        assert_eq!(of_stand_in(&[2, 5], 1), [None]);
        assert_eq!(of_stand_in(&[2, 5], 3), [Some(2), Some(5), Some(2)]);
    }
}

//! Which core does what: shards and stand-in apart where there are enough.

/// The cores of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cores {
    /// One per shard.
    pub shards: Vec<usize>,
    /// One per thread of the stand-in; empty without one.
    pub stand_in: Vec<usize>,
    /// Stand-in and generator have a core in common, or several shards do.
    pub shared: bool,
}

/// Shares out the allowed cores. The stand-in gets the larger half: it parses JSON, which costs more than our side.
/// `wanted` shards are put on what is left, in turn; by default there are never more than `users_max` of them, nor more
/// threads in all than the CPU quota has cores: more would use it up early and stand still for the rest of each period.
pub fn share_out(
    allowed: &[usize],
    quota_cores: Option<f64>,
    wanted: Option<usize>,
    mock: bool,
    users_max: usize,
) -> Cores {
    assert!(!allowed.is_empty(), "a running process has a core");
    let allowed = match wanted {
        Some(_) => allowed,
        None => &allowed[..cores_within(quota_cores, allowed.len())],
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
    let count = wanted.unwrap_or_else(|| left.len().min(users_max.max(1)));
    let shards: Vec<usize> = left.iter().copied().cycle().take(count).collect();
    let shared = count > left.len() || stand_in.iter().any(|core| shards.contains(core));
    Cores {
        shards,
        stand_in,
        shared,
    }
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
        assert_eq!(
            (&cores.shards[..], &cores.stand_in[..], cores.shared),
            expected
        );
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
        check(&[2, 5], None, false, 1, (&[2], &[], false));
        check(&[2, 5], Some(1), false, 50, (&[2], &[], false));
        check(&[2, 5], Some(3), false, 50, (&[2, 5, 2], &[], true));
    }
}

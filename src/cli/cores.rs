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
/// `wanted` shards are put on what is left, in turn, and there are never more than `users_max` of them by default.
pub fn share_out(allowed: &[usize], wanted: Option<usize>, mock: bool, users_max: usize) -> Cores {
    assert!(!allowed.is_empty(), "a running process has a core");
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        allowed: &[usize],
        wanted: Option<usize>,
        mock: bool,
        users_max: usize,
        expected: (&[usize], &[usize], bool),
    ) {
        let cores = share_out(allowed, wanted, mock, users_max);
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

//! Findings on what the kernel grants: io_uring, locked memory, descriptors, memory. The CPU times are those that the
//! drivers were chosen by.

use super::facts::{Descriptors, Facts, Memory, Planned, Uring};
use super::finding::{Check, Finding, State};
use crate::text::units::{bytes, counted, grouped};

/// First kernel that does not count a ring as locked memory, but in its control group.
const RINGS_NOT_LOCKED: (u32, u32) = (5, 12);
/// First kernel with all features of a ring that the driver uses (deferred task work; multishot receive came with 6.0).
const ALL_FEATURES: (u32, u32) = (6, 1);

pub(super) fn uring(facts: &Facts) -> Option<Finding> {
    let finding = match (facts.uring.as_ref()?, facts.kernel) {
        (Uring::Refused { cause, cure }, _) => Finding::new(
            Check::Uring,
            State::Limits,
            cause,
            "epoll is used: a request takes about 6.1 us of CPU instead of 4.6 to 5.5 us (64 connections), so the ceiling is lower",
            cure.as_deref().unwrap_or("a kernel from 6.1 on"),
        ),
        (Uring::Available, Some(kernel)) if kernel < ALL_FEATURES => Finding::new(
            Check::Uring,
            State::Note,
            format!("available, Linux {}.{}", kernel.0, kernel.1),
            "without deferred task work a request takes 12.7 us of CPU instead of 8.0 to 9.3 us (8,000 connections)",
            "Linux 6.1 or later",
        ),
        (Uring::Available, _) => Finding::new(
            Check::Uring,
            State::Ok,
            "available, with all features that are used",
            "least CPU time for each request",
            "--io epoll",
        ),
    };
    Some(finding)
}

pub(super) fn locked_memory(facts: &Facts) -> Option<Finding> {
    let locked = facts.locked_memory?;
    let limit = match locked.limit {
        u64::MAX => "no limit".to_owned(),
        limit => format!("limit {}", bytes(limit)),
    };
    let shards = counted(facts.plan.shards, "shard");
    let needed = bytes(locked.needed);
    let cure = "ulimit -l unlimited, or LimitMEMLOCK= of a service";
    let finding = if facts
        .kernel
        .is_some_and(|kernel| kernel >= RINGS_NOT_LOCKED)
    {
        Finding::new(
            Check::LockedMemory,
            State::Ok,
            limit,
            "rings do not count as locked memory since Linux 5.12",
            cure,
        )
    } else if locked.limit >= locked.needed {
        Finding::new(
            Check::LockedMemory,
            State::Ok,
            limit,
            format!("the rings of {shards} take about {needed}"),
            cure,
        )
    } else {
        Finding::new(
            Check::LockedMemory,
            State::Limits,
            limit,
            format!("the rings of {shards} take about {needed}: some shards cannot start"),
            cure,
        )
    };
    Some(finding)
}

pub(super) fn descriptors(descriptors: Descriptors, plan: &Planned) -> Finding {
    let Descriptors { allowed, needed } = descriptors;
    let connections = counted(plan.connections, "connection");
    let found = format!(
        "{} allowed, {connections} need {}",
        grouped(allowed),
        grouped(needed)
    );
    match allowed >= needed {
        true => Finding::new(
            Check::Descriptors,
            State::Ok,
            found,
            "every connection can be opened; with --mock each has two ends in this process",
            "ulimit -n N, or LimitNOFILE= of a service",
        ),
        false => Finding::new(
            Check::Descriptors,
            State::Limits,
            found,
            "a run with so many connections is refused before its first request",
            format!("ulimit -n {needed}, LimitNOFILE= of a service, or fewer --connections"),
        ),
    }
}

pub(super) fn memory(memory: Memory, plan: &Planned) -> Finding {
    let Memory { free, needed } = memory;
    let connections = counted(plan.connections, "connection");
    let found = format!("{} free, {connections} take {}", bytes(free), bytes(needed));
    match free >= needed {
        true => Finding::new(
            Check::Memory,
            State::Ok,
            found,
            "the run fits; variables and further steps come on top, and `run` prints the sum before it starts",
            "docker run --memory, or MemoryMax= of a service",
        ),
        false => Finding::new(
            Check::Memory,
            State::Limits,
            found,
            "a run with so many connections is refused before its first request",
            "fewer --connections, or more memory (docker run --memory, MemoryMax= of a service)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::LockedMemory;
    use super::*;

    const PLAN: Planned = Planned {
        connections: 1_000,
        shards: 2,
    };

    fn check_uring(uring: Uring, kernel: Option<(u32, u32)>, state: State, cure: &str) {
        let facts = Facts {
            uring: Some(uring),
            kernel,
            ..Facts::default()
        };
        let finding = super::uring(&facts).expect("it was probed");
        assert_eq!(finding.state, state, "{finding:?}");
        assert!(finding.cure.contains(cure), "{finding:?}");
    }

    #[test]
    fn io_uring_is_well_on_a_new_kernel_and_its_refusal_has_reason_and_cure() {
        check_uring(Uring::Available, Some((6, 18)), State::Ok, "--io epoll");
        check_uring(Uring::Available, Some((5, 15)), State::Note, "6.1");
        check_uring(Uring::Available, None, State::Ok, "--io epoll");
        let refused = |cure: Option<&str>| Uring::Refused {
            cause: "it is forbidden".into(),
            cure: cure.map(str::to_owned),
        };
        check_uring(
            refused(Some("sysctl")),
            Some((6, 18)),
            State::Limits,
            "sysctl",
        );
        check_uring(refused(None), None, State::Limits, "6.1");
        assert_eq!(uring(&Facts::default()), None);
    }

    fn check_locked(limit: u64, kernel: (u32, u32), expected: State) {
        let facts = Facts {
            plan: PLAN,
            kernel: Some(kernel),
            locked_memory: Some(LockedMemory {
                limit,
                needed: 4_000_000,
            }),
            ..Facts::default()
        };
        let finding = locked_memory(&facts).expect("it is known");
        assert_eq!(finding.state, expected, "{finding:?}");
    }

    #[test]
    fn locked_memory_matters_on_old_kernels_only() {
        check_locked(64_000, (5, 11), State::Limits);
        check_locked(64_000, (5, 12), State::Ok);
        check_locked(8_000_000, (5, 11), State::Ok);
        check_locked(u64::MAX, (5, 4), State::Ok);
    }

    #[test]
    fn descriptors_and_memory_are_held_against_the_planned_connections() {
        let of = |allowed| {
            descriptors(
                Descriptors {
                    allowed,
                    needed: 1_600,
                },
                &PLAN,
            )
        };
        assert_eq!(
            (of(1_600).state, of(1_599).state),
            (State::Ok, State::Limits)
        );
        assert!(
            of(1_024).cure.starts_with("ulimit -n 1600"),
            "{:?}",
            of(1_024)
        );
        let of = |free| {
            memory(
                Memory {
                    free,
                    needed: 5_000,
                },
                &PLAN,
            )
        };
        assert_eq!(
            (of(5_000).state, of(4_999).state),
            (State::Ok, State::Limits)
        );
    }
}

//! Descriptors and memory that a run needs, checked before the first request.

use anyhow::{Context, Result, bail};

use crate::engine::plan::Plan;
use crate::engine::{Footprint, Part};
use crate::io::{CLOSING_MAX, descriptors};
use crate::machine::cpu;
use crate::text::units::{bytes, counted, grouped};

/// Descriptors beside the connections: rings, files, standard streams.
const OTHER_DESCRIPTORS: u64 = 64;

/// How many of so many connections this machine's descriptor limit allows, both ends in this process.
///
/// # Errors
/// When the limit cannot be read.
pub fn connections_allowed(wanted: u64) -> Result<u64> {
    let shards = cpu::allowed_cores().map_or(1, |cores| cores.len());
    let closing = (wanted * 3 / 2 + 1).min((shards * CLOSING_MAX) as u64);
    let needed = 2 * (wanted + closing) + OTHER_DESCRIPTORS;
    let limit = cpu::raise_descriptor_limit(needed).context("the descriptor limit is not known")?;
    let room = limit.saturating_sub(OTHER_DESCRIPTORS) / 2;
    Ok(connections_within(room, shards).clamp(1, wanted))
}

/// How many connections so many descriptors are enough for, as [`descriptors`] counts them.
fn connections_within(room: u64, shards: usize) -> u64 {
    let closing = (shards * CLOSING_MAX) as u64;
    // Each slot takes two and a half of them at most (`descriptors`).
    (room * 2 / 5).max(room.saturating_sub(closing))
}

/// Raises the descriptor limit to what the plan needs.
///
/// # Errors
/// With the numbers and the cure, when the limit is lower.
pub fn check_descriptors(plan: &Plan, has_stand_in: bool) -> Result<()> {
    let slots = plan.slots_before_shard(plan.shards);
    let needed = descriptors_needed(plan, has_stand_in);
    let limit = cpu::raise_descriptor_limit(needed).context("the descriptor limit is not known")?;
    if limit < needed {
        let room = limit.saturating_sub(OTHER_DESCRIPTORS) / ends(has_stand_in);
        let fewer = match connections_within(room, plan.shards) {
            0 => String::new(),
            count => format!(", or give --connections {count}"),
        };
        bail!(
            "{} connections need {} open descriptors, and {} are allowed; raise the limit (ulimit -n {needed}){fewer}",
            grouped(slots as u64),
            grouped(needed),
            grouped(limit),
        );
    }
    Ok(())
}

/// Descriptors that a plan needs.
pub fn descriptors_needed(plan: &Plan, has_stand_in: bool) -> u64 {
    let of_shards = (0..plan.shards).map(|shard| descriptors(plan.slots_of_shard(shard)));
    ends(has_stand_in) * of_shards.sum::<usize>() as u64 + OTHER_DESCRIPTORS
}

/// Each connection has two ends in this process when the stand-in runs in it.
fn ends(has_stand_in: bool) -> u64 {
    if has_stand_in { 2 } else { 1 }
}

/// Refuses a run that needs more memory than is free.
///
/// # Errors
/// With what takes most of it, and the cure.
pub fn check_memory(footprint: &Footprint, free_bytes: Option<u64>) -> Result<()> {
    let needed = footprint.bytes() as u64;
    let Some(free) = free_bytes.filter(|free| needed > *free) else {
        return Ok(());
    };
    let (part, of_part) = footprint.largest();
    let users = counted(footprint.users as u64, "user");
    let (what, cure) = match part {
        Part::Users => (
            format!("{users} at {} B", footprint.of_user),
            "give fewer --users",
        ),
        Part::Variables => (
            format!("the variables of {users} at {} B", footprint.of_variables),
            "give fewer --users or a scenario with shorter variables",
        ),
        Part::Connections => (
            counted(footprint.connections as u64, "connection"),
            "give fewer --connections",
        ),
        Part::Figures => (
            format!(
                "the figures of {}",
                counted(footprint.steps as u64, "named step")
            ),
            "give fewer --shards, or steps whose figures need not be told apart the same name",
        ),
        Part::Buffers => (
            "buffers to send from and receive into".into(),
            "give fewer --shards or a shorter --pipeline",
        ),
        Part::StandIn => (
            format!(
                "the stand-in's ends of {}",
                counted(footprint.connections as u64, "connection")
            ),
            "give fewer --connections or the --host of a stand-in of its own (opsurge mock)",
        ),
    };
    bail!(
        "about {} of memory are needed, most of it ({}) for {what}, and {} are free; {cure}, or this process more \
         memory (docker run --memory, systemd's MemoryMax)",
        bytes(needed),
        bytes(of_part as u64),
        bytes(free),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Footprint = Footprint {
        users: 20,
        of_user: 60,
        of_together: 0,
        requests_each: 1,
        of_variables: 10,
        connections: 20,
        of_connections: 10_000,
        of_answers_max: 1_000_000_000,
        steps: 3,
        figures: 1_000_000,
        figures_max: 9_000_000,
        buffers: 2_000_000,
        stand_in: 0,
    };

    /// Checks the cause and the cure that a refusal names.
    fn check_refused(footprint: &Footprint, blame: &str, cure: &str) {
        let needed = footprint.bytes() as u64;
        assert!(check_memory(footprint, Some(needed)).is_ok());
        assert!(check_memory(footprint, None).is_ok());
        let refused = check_memory(footprint, Some(needed - 1)).expect_err("too much");
        let said = refused.to_string();
        let begins = format!(
            "about {} of memory are needed, most of it ({blame}, and {} are free; give {cure}",
            bytes(needed),
            bytes(needed - 1)
        );
        assert!(said.starts_with(&begins), "{said}");
    }

    #[test]
    fn more_memory_than_there_is_is_refused_with_what_takes_most_of_it() {
        let many_users = Footprint {
            users: 1_000_000,
            ..SMALL
        };
        let blame = "60.0 MB) for 1,000,000 users at 60 B";
        check_refused(&many_users, blame, "fewer --users, or");
        let long_variables = Footprint {
            of_variables: 100,
            ..many_users
        };
        let blame = "100 MB) for the variables of 1,000,000 users at 100 B";
        check_refused(&long_variables, blame, "fewer --users or a scenario with");
        let many_connections = Footprint {
            connections: 16_000,
            of_connections: 16_000_000,
            ..SMALL
        };
        let blame = "16.0 MB) for 16,000 connections";
        check_refused(&many_connections, blame, "fewer --connections");
        let many_steps = Footprint {
            steps: 1_000,
            figures: 400_000_000,
            ..SMALL
        };
        let blame = "400 MB) for the figures of 1,000 named steps";
        check_refused(&many_steps, blame, "fewer --shards, or steps");
        let stand_in = Footprint {
            stand_in: 20_000_000,
            ..SMALL
        };
        let blame = "20.0 MB) for the stand-in's ends of 20 connections";
        check_refused(&stand_in, blame, "fewer --connections or the --host");
        let blame = "2.00 MB) for buffers";
        check_refused(
            &SMALL,
            &format!("{blame} to send from and receive into"),
            "fewer --shards",
        );
    }
}

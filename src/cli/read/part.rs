//! `--part`: which share of the load this process makes, given or read from what a launcher sets in the environment.

use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};

use crate::engine::plan::{Connections, deal};
use crate::load::Load;
use crate::load::part::Part;
use crate::text::units::counted;

/// Most parts.
const PARTS_MAX: u64 = 100_000;

/// Variables by which launchers number their processes: rank, number of processes, rank of the first.
struct Launcher {
    name: &'static str,
    rank: &'static str,
    /// The first one that is set counts.
    sizes: &'static [&'static str],
    /// What to do when there is no number of processes.
    cure: &'static str,
    /// Only this launcher sets these variables.
    is_certain: bool,
}

const LAUNCHERS: [Launcher; 5] = [
    Launcher {
        name: "a Kubernetes indexed Job",
        rank: "JOB_COMPLETION_INDEX",
        sizes: &["OPSURGE_PARTS"],
        cure: "a Job does not tell its number of pods: set OPSURGE_PARTS to the same number as completions",
        is_certain: true,
    },
    Launcher {
        name: "Slurm",
        rank: "SLURM_PROCID",
        sizes: &["SLURM_NTASKS", "SLURM_NPROCS"],
        cure: "start it with srun, which sets SLURM_NTASKS",
        is_certain: true,
    },
    Launcher {
        name: "Open MPI",
        rank: "OMPI_COMM_WORLD_RANK",
        sizes: &["OMPI_COMM_WORLD_SIZE"],
        cure: "start it with mpirun, which sets OMPI_COMM_WORLD_SIZE",
        is_certain: true,
    },
    Launcher {
        name: "MPICH",
        rank: "PMI_RANK",
        sizes: &["PMI_SIZE"],
        cure: "start it with mpiexec, which sets PMI_SIZE",
        is_certain: true,
    },
    // Several launchers, and programs that are none, set these.
    Launcher {
        name: "torchrun",
        rank: "RANK",
        sizes: &["WORLD_SIZE"],
        cure: "set WORLD_SIZE to the number of processes",
        is_certain: false,
    },
];

/// The part itself: `I/N`.
const OWN: &str = "OPSURGE_PART";

/// Looks up a variable of the environment; one that is empty counts as not set.
pub type Lookup<'l> = &'l dyn Fn(&str) -> Option<String>;

/// The environment of this process.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Reads `--part`: `I/N`, or `env`.
///
/// # Errors
/// What is wrong with it; what the environment does not say, or says twice and differently.
pub fn part(text: Option<&str>, lookup: Lookup<'_>) -> Result<Part> {
    match text {
        None => Ok(Part::WHOLE),
        Some("env") => of_environment(lookup),
        Some(text) => of_text(text).with_context(|| format!("--part {text}")),
    }
}

fn of_text(text: &str) -> Result<Part> {
    let numbers = text.split_once('/').and_then(|(number, of)| {
        let number = u64::from_str(number.trim()).ok()?;
        Some((number, u64::from_str(of.trim()).ok()?))
    });
    match numbers {
        Some((_, of)) if of > PARTS_MAX => bail!("there may be {PARTS_MAX} parts at most"),
        Some((0, of)) => bail!("parts are numbered from 1: the first one is 1/{of}"),
        Some((number, of)) => Part::new(number, of).ok_or_else(|| {
            anyhow!("there is no part {number} of {of}: parts are numbered from 1 to {of}")
        }),
        None => bail!("give I/N, for example 2/4 for the second of four parts, or env"),
    }
}

fn of_environment(lookup: Lookup<'_>) -> Result<Part> {
    let mut found: Option<(String, Part)> = None;
    let own = lookup(OWN).map(|text| {
        let part = of_text(&text).with_context(|| format!("{OWN}={text}"))?;
        Ok((format!("{OWN}={text}"), part))
    });
    let launchers = LAUNCHERS
        .iter()
        .filter_map(|launcher| launcher.part(lookup));
    for source in own.into_iter().chain(launchers) {
        let (said, part) = source?;
        match &found {
            Some((other, known)) if *known != part => bail!(
                "--part env: {other} says part {}, and {said} says part {}; unset one of them, or give --part I/N",
                shown(*known),
                shown(part)
            ),
            Some(_) => {}
            None => found = Some((said, part)),
        }
    }
    let names: Vec<&str> = LAUNCHERS.iter().map(|launcher| launcher.rank).collect();
    found.map(|(_, part)| part).ok_or_else(|| {
        anyhow!(
            "--part env: no launcher has numbered this process (none of {OWN}, {} is set); give --part I/N",
            names.join(", ")
        )
    })
}

impl Launcher {
    /// What it says, and which part that is; `None` when it did not start this process.
    fn part(&self, lookup: Lookup<'_>) -> Option<Result<(String, Part)>> {
        let rank = lookup(self.rank)?;
        let size = self
            .sizes
            .iter()
            .find_map(|name| Some((*name, lookup(name)?)));
        Some(match size {
            Some((name, size)) => self.read(&rank, name, &size),
            None => Err(anyhow!(
                "--part env: {}={rank} is set by {}, and {} is not; {}",
                self.rank,
                self.name,
                self.sizes[0],
                self.cure
            )),
        })
    }

    fn read(&self, rank: &str, size_name: &str, size: &str) -> Result<(String, Part)> {
        let said = format!("{}={rank} with {size_name}={size}", self.rank);
        let number = |text: &str| u64::from_str(text).ok();
        let part = number(rank).zip(number(size)).and_then(|(rank, size)| {
            let is_allowed = size <= PARTS_MAX;
            is_allowed.then(|| Part::new(rank.checked_add(1)?, size))?
        });
        match part {
            Some(part) => Ok((said, part)),
            None => bail!(
                "--part env: {said} names no part: the first process is number 0, and there may be {PARTS_MAX} at most"
            ),
        }
    }
}

/// `2/4`.
pub fn shown(part: Part) -> String {
    format!("{}/{}", part.number(), part.of())
}

/// Where a launcher has started several processes and `--part` is not given, each makes the whole load: a note.
pub fn is_not_shared(lookup: Lookup<'_>) -> Option<String> {
    let certain = LAUNCHERS.iter().filter(|launcher| launcher.is_certain);
    let found = certain.filter_map(|launcher| launcher.part(lookup)?.ok());
    let (said, part) = found.into_iter().find(|(_, part)| !part.is_whole())?;
    Some(format!(
        "{said} says that this is process {} of {}, and each makes the whole load; --part env gives each its share",
        part.number(),
        part.of()
    ))
}

/// Makes sure that every part has something to do, and that all of them draw from the same seed.
///
/// # Errors
/// With the cure.
pub fn check(part: Part, load: &Load, connections: Connections, has_seed: bool) -> Result<()> {
    if part.is_whole() {
        return Ok(());
    }
    let all = shown(part);
    if !has_seed {
        bail!(
            "--part {all} needs --seed: all parts draw from one seed; give each of them the same, for example --seed 1"
        );
    }
    // Part N has the fewest.
    let of = part.of();
    let last = Part::new(of, of).unwrap_or(Part::WHOLE);
    let deal = deal(load, connections, 1).of_part(last);
    if deal.share_of(load.users_max()) == 0 {
        bail!(
            "--part {all}: {} cannot be shared by {of} parts, some of which would have nothing to do; give at least \
             {of} of them, or fewer parts",
            what_is_shared(load, connections)
        );
    }
    Ok(())
}

/// What there is least of: `3 users`, `2 connections`, or iterations.
fn what_is_shared(load: &Load, connections: Connections) -> String {
    let users = load.users_max();
    let connections = connections.shared().map(|count| count as u64);
    match (connections, load.users().iterations) {
        (Some(count), _) if count < users => counted(count, "connection"),
        (_, Some(all)) if all < load.users().users => counted(all, "iteration"),
        _ => counted(users, "user"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let lookup = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let part = part(Some(text), &lookup);
        part.map(shown).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_part_is_a_number_from_one_of_so_many() {
        assert_eq!(read("2/4", &[]), Ok("2/4".into()));
        assert_eq!(read(" 1 / 1 ", &[]), Ok("1/1".into()));
        let check = |text: &str, expected: &str| {
            let error = read(text, &[]).expect_err(text);
            assert!(error.contains(expected), "{error}");
        };
        check("0/4", "the first one is 1/4");
        check("5/4", "no part 5 of 4");
        check("1/0", "no part 1 of 0");
        check("2", "give I/N");
        check("1/100001", "at most");
    }

    #[test]
    fn launchers_number_their_processes_from_zero() {
        let check = |variables: &[(&str, &str)], expected: &str| {
            assert_eq!(read("env", variables), Ok(expected.into()));
        };
        check(&[("OPSURGE_PART", "3/4")], "3/4");
        check(
            &[("JOB_COMPLETION_INDEX", "0"), ("OPSURGE_PARTS", "4")],
            "1/4",
        );
        check(&[("SLURM_PROCID", "3"), ("SLURM_NTASKS", "4")], "4/4");
        check(&[("SLURM_PROCID", "1"), ("SLURM_NPROCS", "4")], "2/4");
        check(
            &[("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_SIZE", "2")],
            "2/2",
        );
        check(&[("PMI_RANK", "1"), ("PMI_SIZE", "2")], "2/2");
        check(&[("RANK", "0"), ("WORLD_SIZE", "2")], "1/2");
        // Slurm that starts MPI processes sets both.
        check(
            &[
                ("SLURM_PROCID", "1"),
                ("SLURM_NTASKS", "2"),
                ("PMI_RANK", "1"),
                ("PMI_SIZE", "2"),
            ],
            "2/2",
        );
    }

    #[test]
    fn an_environment_that_does_not_tell_or_contradicts_itself_is_refused() {
        let check = |variables: &[(&str, &str)], expected: &str| {
            let error = read("env", variables).expect_err("refused");
            assert!(error.contains(expected), "{error}");
        };
        check(&[], "no launcher has numbered this process");
        check(&[("JOB_COMPLETION_INDEX", "1")], "set OPSURGE_PARTS");
        check(
            &[("SLURM_PROCID", "4"), ("SLURM_NTASKS", "4")],
            "SLURM_PROCID=4 with SLURM_NTASKS=4 names no part",
        );
        check(
            &[
                ("SLURM_PROCID", "1"),
                ("SLURM_NTASKS", "4"),
                ("OMPI_COMM_WORLD_RANK", "2"),
                ("OMPI_COMM_WORLD_SIZE", "4"),
            ],
            "SLURM_PROCID=1 with SLURM_NTASKS=4 says part 2/4, and OMPI_COMM_WORLD_RANK=2 with \
             OMPI_COMM_WORLD_SIZE=4 says part 3/4",
        );
    }

    #[test]
    fn a_launcher_without_a_part_is_noted() {
        let lookup = |name: &str| match name {
            "SLURM_PROCID" => Some("1".to_owned()),
            "SLURM_NTASKS" => Some("4".to_owned()),
            _ => None,
        };
        let note = is_not_shared(&lookup).expect("noted");
        assert!(note.contains("process 2 of 4"), "{note}");
        let alone = |name: &str| match name {
            "SLURM_PROCID" => Some("0".to_owned()),
            "SLURM_NTASKS" => Some("1".to_owned()),
            _ => None,
        };
        assert_eq!(is_not_shared(&alone), None);
    }
}

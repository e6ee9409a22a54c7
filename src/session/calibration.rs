//! Calibrations in the user's cache directory: kept by `opsurge calibrate`, looked up for every run.
//!
//! A file for each: two calibrations at once, or a file of another version, harm no other. What cannot be read is passed
//! over; a run never fails because of it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::engine::Setup;
use crate::engine::plan::Plan;
use crate::http::request::{Cuts, Values};
use crate::io::Backend;
use crate::load::random::Keyed;
use crate::machine::Machine;
use crate::record::files;
use crate::record::schema::{Calibrated, Calibration, CalibrationRecord, Record};
use crate::scenario::feeder::RowKey;
use crate::scenario::model::Scenario;

/// Files that are looked at, at most.
const FILES_MAX: usize = 1_000;
/// Bytes of a shared stretch of a body that the checksum looks at; its length counts too.
const SHARED_BYTES: usize = 4_096;
const SECOND_S: f64 = 1.0;

/// The folder, by the XDG base directory specification: `$XDG_CACHE_HOME`, else `~/.cache`. A relative path counts as
/// not set. `None` where neither is known.
pub fn folder() -> Option<PathBuf> {
    let absolute = |name| {
        let path = PathBuf::from(env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("opsurge/calibration"))
}

/// What a calibration of this plan holds for. `checksum` is that of its scenario.
pub fn calibrated(plan: &Plan, setup: &Setup, cores: usize, checksum: u64) -> Calibrated {
    let machine = Machine::read();
    let build = if cfg!(debug_assertions) { " debug" } else { "" };
    let connections = plan.connections.shared().map(|count| count as u64);
    Calibrated {
        cpu: machine.cpu,
        cores,
        kernel: machine.kernel,
        version: format!("{}{build}", env!("CARGO_PKG_VERSION")),
        scenario: plan.scenario.name.clone(),
        checksum: format!("{checksum:016x}"),
        connections: connections.unwrap_or_else(|| plan.load.users().users_at_once()),
        pipeline: plan.connections.depth(),
        backend: match setup.backend {
            Backend::Epoll => "epoll",
            Backend::Auto | Backend::Uring => "io_uring",
        }
        .into(),
        is_encrypted: setup.tls.is_some(),
    }
}

/// Checksum of a scenario that is bound to no target: requests with their secrets masked, weights, nothing that waits.
pub fn checksum(scenario: &Scenario) -> u64 {
    let mut sum = Fnv::default();
    let secrets = scenario.secrets_of_row(RowKey::first(0, Keyed::new(0)));
    for (index, step) in scenario.steps.iter().enumerate() {
        let (user, fresh) = scenario.first_values(index as u16, 0, 0, 0);
        let mut rendered = vec![0; step.template.bytes_max()];
        let values = Values {
            user: &user,
            fresh: &fresh,
        };
        let length = step
            .template
            .render(values, &mut rendered, &mut Cuts::default());
        let text = String::from_utf8_lossy(&rendered[..length]);
        sum.add(secrets.mask(&text).as_bytes());
        for shared in step.template.shared() {
            sum.add(&shared.len().to_le_bytes());
            sum.add(&shared[..shared.len().min(SHARED_BYTES)]);
        }
    }
    for task in &scenario.tasks {
        sum.add(&task.weight.to_le_bytes());
        sum.add(&task.steps.end.to_le_bytes());
    }
    sum.0
}

/// FNV-1a, 64 bits: it tells scenarios apart, and protects nothing.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        // The end of each piece counts: "ab", "c" is not "a", "bc".
        for byte in bytes.iter().chain(&[0xff]) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// The file of a calibration.
pub fn path(folder: &Path, of: &Calibrated, shards: usize) -> PathBuf {
    let mut sum = Fnv::default();
    let encryption = if of.is_encrypted { "tls" } else { "" };
    for part in [
        of.cpu.as_str(),
        &of.cores.to_string(),
        &of.kernel,
        &of.version,
        &of.scenario,
        &of.checksum,
        &of.connections.to_string(),
        &of.pipeline.to_string(),
        &of.backend,
        encryption,
        &shards.to_string(),
    ] {
        sum.add(part.as_bytes());
    }
    folder.join(format!("{:016x}.json", sum.0))
}

/// Makes the folder, and sees that a file can be written there.
///
/// # Errors
/// With the reason and the cure.
pub fn check(folder: &Path) -> Result<()> {
    let shown = folder.display();
    fs::create_dir_all(folder).with_context(|| {
        format!("the calibration is kept in {shown}, which cannot be made; set XDG_CACHE_HOME to a folder that can be written")
    })?;
    let probe = folder.join("calibration.json");
    files::check_writable(&probe, "calibrate keeps its result:")
        .context("set XDG_CACHE_HOME to a folder that can be written")
}

/// Keeps a calibration in place of an older one of the same; its file.
///
/// # Errors
/// When the disk does not take it.
pub fn keep(folder: &Path, calibration: &Calibration) -> Result<PathBuf> {
    let path = path(folder, &calibration.of, calibration.shards);
    files::write(&path, calibration.to_json().as_bytes())?;
    Ok(path)
}

/// The calibration that holds for a run with so many shards: one with the same number, else the one with the most.
pub fn find(folder: &Path, of: &Calibrated, shards: usize) -> Option<Calibration> {
    let read = |path: PathBuf| Calibration::parse(&fs::read_to_string(path).ok()?);
    let same = read(path(folder, of, shards)).filter(|found| found.of == *of);
    if same.is_some() {
        return same;
    }
    let files = fs::read_dir(folder).ok()?.take(FILES_MAX);
    let known = files.filter_map(|entry| read(entry.ok()?.path()));
    known
        .filter(|found| found.of == *of)
        .max_by_key(|found| found.shards)
}

/// A run beside the calibration that holds for it.
pub fn beside(record: &Record, known: &Calibration, started_at: SystemTime) -> CalibrationRecord {
    let shards = record.run.shards;
    let scale = (shards as f64 / known.shards.max(1) as f64).min(1.0);
    let ceiling_rps = known.ceiling_rps * scale;
    let load = record.series.iter().filter(|sample| !sample.is_drain);
    // The rest of a run after its last whole second is too short for a rate.
    let whole = load.filter(|sample| sample.length_s >= SECOND_S / 2.0);
    let needed_rps = whole
        .map(|sample| sample.rps)
        .fold(record.totals.rps, f64::max);
    let made_at = humantime::parse_rfc3339(&known.made_at).ok();
    let age = made_at.and_then(|made_at| started_at.duration_since(made_at).ok());
    CalibrationRecord {
        made_at: known.made_at.clone(),
        age_s: age.unwrap_or_default().as_secs_f64(),
        shards: known.shards,
        ceiling_rps,
        is_at_least: known.is_at_least || shards > known.shards,
        needed_rps,
        times: (needed_rps > 0.0).then(|| ceiling_rps / needed_rps),
        floor_p50_us: known.floor_p50_us,
        floor_p99_us: known.floor_p99_us,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::CALIBRATION_SCHEMA;
    use crate::scenario::format::compile::{Context as Compile, compile};

    fn of(connections: u64) -> Calibrated {
        Calibrated {
            cpu: "a processor".into(),
            cores: 2,
            kernel: "6.18".into(),
            version: "0.1.0".into(),
            scenario: "shop".into(),
            checksum: "0".into(),
            connections,
            pipeline: 1,
            backend: "io_uring".into(),
            is_encrypted: false,
        }
    }

    fn kept(connections: u64, shards: usize, ceiling_rps: f64) -> Calibration {
        Calibration {
            schema: CALIBRATION_SCHEMA.into(),
            of: of(connections),
            shards,
            made_at: "2026-11-23T10:00:00Z".into(),
            ceiling_rps,
            ceiling_rps_low: None,
            ceiling_rps_high: None,
            is_at_least: false,
            cpu_us_per_request: 5.0,
            busy: 1.0,
            core_waited: 0.0,
            responder_busy: 0.9,
            floor_p50_us: Some(30.0),
            floor_p99_us: Some(60.0),
        }
    }

    #[test]
    fn a_calibration_is_found_for_the_same_run_and_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("not/there/yet");
        assert_eq!(find(&folder, &of(50), 1), None, "no folder");
        check(&folder).expect("it is made");
        for calibration in [kept(50, 1, 1.0), kept(50, 2, 2.0), kept(50, 2, 3.0)] {
            keep(&folder, &calibration).expect("written");
        }
        let ceiling = |connections, shards| {
            let found = find(&folder, &of(connections), shards);
            found.map(|found| found.ceiling_rps)
        };
        assert_eq!(ceiling(50, 1), Some(1.0));
        assert_eq!(
            ceiling(50, 2),
            Some(3.0),
            "the later one replaced the older"
        );
        assert_eq!(ceiling(50, 8), Some(3.0), "the most shards");
        assert_eq!(ceiling(51, 1), None);
    }

    #[test]
    fn files_of_other_versions_and_garbage_are_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = path(folder.path(), &of(50), 1);
        let other = kept(50, 1, 1.0).to_json();
        for text in [
            "",
            "{",
            "[]",
            "\u{0}",
            "{\"schema\": \"opsurge.calibration/1\"}",
            &other.replace("calibration/1", "calibration/2"),
            &other.replace("a processor", "another one"),
        ] {
            fs::write(&place, text).expect("written");
            assert_eq!(find(folder.path(), &of(50), 1), None, "{text}");
        }
        fs::remove_file(&place).expect("it is there");
        fs::create_dir(&place).expect("a folder in its place");
        assert_eq!(find(folder.path(), &of(50), 1), None);
    }

    #[test]
    fn the_checksum_looks_at_requests_and_weights_and_not_at_waits() {
        let sum = |text: &str| {
            let context = Compile::plain();
            checksum(
                &compile("x.toml", text, &context)
                    .expect("valid")
                    .bind("", ""),
            )
        };
        let text = "name = \"x\"\nload = { users = 1 }\nwait = \"1s\"\n[[task]]\nweight = 2\nmethod = \"GET\"\npath = \"/a\"\n[[task]]\nmethod = \"GET\"\npath = \"/b\"\n";
        let first = sum(text);
        assert_eq!(first, sum(text));
        assert_eq!(first, sum(&text.replace("\"1s\"", "\"2s\"")));
        assert_ne!(first, sum(&text.replace("weight = 2", "weight = 3")));
        assert_ne!(first, sum(&text.replace("/a", "/c")));
    }
}

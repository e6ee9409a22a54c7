//! Findings on cores: how many, for how long, how fast.

use super::facts::Cores;
use super::finding::{Check, Finding, State};
use crate::text::units::{counted, grouped, three_digits};

/// Governors that follow the load only because the processor itself does so under these drivers.
const DRIVERS_WITH_OWN_GOVERNOR: [&str; 3] = ["intel_pstate", "amd-pstate", "amd-pstate-epp"];

pub(super) fn cores(cores: &Cores) -> Finding {
    let allowed = cores.allowed;
    let found = match cores.online {
        Some(online) => format!(
            "{} of {} allowed",
            grouped(allowed),
            counted(online, "core")
        ),
        None => format!("{} allowed", counted(allowed, "core")),
    };
    match allowed {
        0 | 1 => Finding::new(
            Check::Cores,
            State::Note,
            found,
            "one shard runs; a server on this machine, or --mock, shares its core, and both wait for each other",
            "allow more cores (taskset -c 0-1, docker run --cpuset-cpus), or run the server elsewhere",
        ),
        _ => Finding::new(
            Check::Cores,
            State::Ok,
            found,
            "one shard runs on each; with --mock, the stand-in takes half of them",
            "taskset -c 0-1 opsurge run, or --shards N",
        ),
    }
}

pub(super) fn quota(cores: &Cores) -> Finding {
    let allowed = counted(cores.allowed, "allowed core");
    match cores.quota {
        None => Finding::new(
            Check::Quota,
            State::Ok,
            "none",
            "shards run whenever they have work",
            "docker run --cpus N, or CPUQuota= of a service",
        ),
        Some(quota) if quota >= cores.allowed as f64 => Finding::new(
            Check::Quota,
            State::Ok,
            format!("{} cores for {allowed}", three_digits(quota)),
            "one thread on each allowed core cannot use it up",
            "docker run --cpus N, or CPUQuota= of a service",
        ),
        Some(quota) => Finding::new(
            Check::Quota,
            State::Limits,
            format!("{} cores for {allowed}", three_digits(quota)),
            "when it is used up, every thread stops until the next period (mostly 100 ms): requests leave late and \
             answers are read late",
            "raise it (docker run --cpus, limits.cpu of a pod, CPUQuota= of a service)",
        ),
    }
}

pub(super) fn governor(governors: &[(String, String)]) -> Finding {
    let Some((governor, driver)) = governors
        .iter()
        .find(|(governor, _)| governor != "performance")
        .or(governors.first())
    else {
        return Finding::new(
            Check::Governor,
            State::Note,
            "not visible, as in most virtual machines",
            "the frequency may change between two runs without a trace in either",
            "compare runs that were made close together and in turns",
        );
    };
    let found = match driver.as_str() {
        "" => format!("governor {governor}"),
        driver => format!("governor {governor}, driver {driver}"),
    };
    let cure = "cpupower frequency-set -g performance";
    match governor.as_str() {
        "performance" => Finding::new(
            Check::Governor,
            State::Ok,
            found,
            "cores keep a high frequency from the first request on",
            "cpupower frequency-set -g NAME",
        ),
        "powersave" if !DRIVERS_WITH_OWN_GOVERNOR.contains(&driver.as_str()) => Finding::new(
            Check::Governor,
            State::Limits,
            found,
            "cores stay at their lowest frequency: every time of the generator is longer, and its ceiling lower",
            cure,
        ),
        _ => Finding::new(
            Check::Governor,
            State::Note,
            found,
            "the frequency rises only after load has come: times at low rates and in the first seconds are longer",
            cure,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_quota(allowed: u64, quota: Option<f64>, expected: State) {
        let cores = Cores {
            allowed,
            online: Some(8),
            quota,
        };
        let finding = super::quota(&cores);
        assert_eq!(finding.state, expected, "{finding:?}");
    }

    #[test]
    fn a_quota_limits_when_the_allowed_cores_can_use_it_up() {
        check_quota(2, None, State::Ok);
        check_quota(2, Some(2.0), State::Ok);
        check_quota(2, Some(1.9), State::Limits);
        check_quota(1, Some(0.1), State::Limits);
    }

    #[test]
    fn a_single_core_is_worth_a_note() {
        let of = |allowed| {
            cores(&Cores {
                allowed,
                online: Some(8),
                quota: None,
            })
        };
        assert_eq!((of(1).state, of(2).state), (State::Note, State::Ok));
        assert_eq!(of(2).found, "2 of 8 cores allowed");
    }

    fn check_governor(governors: &[(&str, &str)], expected: State) {
        let pairs = governors.iter();
        let owned: Vec<(String, String)> = pairs
            .map(|(governor, driver)| ((*governor).to_owned(), (*driver).to_owned()))
            .collect();
        let finding = governor(&owned);
        assert_eq!(finding.state, expected, "{finding:?}");
    }

    #[test]
    fn the_slowest_governor_decides() {
        check_governor(&[], State::Note);
        check_governor(&[("performance", "acpi-cpufreq")], State::Ok);
        check_governor(&[("powersave", "acpi-cpufreq")], State::Limits);
        check_governor(&[("powersave", "intel_pstate")], State::Note);
        check_governor(&[("schedutil", "intel_cpufreq")], State::Note);
        let mixed = [
            ("performance", "acpi-cpufreq"),
            ("ondemand", "acpi-cpufreq"),
        ];
        check_governor(&mixed, State::Note);
    }
}

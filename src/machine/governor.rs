//! What chooses the frequency of a core.

use std::fs;

/// The frequency governor of a core and the driver that it works through (`cpufreq/scaling_governor`,
/// `scaling_driver`), as (governor, driver). Empty in most virtual machines: the host chooses there.
pub fn governors(cores: &[usize]) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for core in cores {
        let folder = format!("/sys/devices/system/cpu/cpu{core}/cpufreq");
        let read = |name: &str| fs::read_to_string(format!("{folder}/{name}"));
        let Ok(governor) = read("scaling_governor") else {
            continue;
        };
        let driver = read("scaling_driver").unwrap_or_default();
        let pair = (governor.trim().to_owned(), driver.trim().to_owned());
        if !found.contains(&pair) {
            found.push(pair);
        }
    }
    found
}

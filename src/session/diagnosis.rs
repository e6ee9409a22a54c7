//! What on this machine limits or distorts a run: `opsurge doctor`, and in silence before each run.

use std::net::UdpSocket;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use socket2::SockAddr;

use crate::analysis::diagnosis::facts::{
    Clock, Cores, Descriptors, Encryption, Facts, LockedMemory, Memory, Path, Planned, Ports,
    Reached, Shaken, Uring, WallClock,
};
use crate::analysis::diagnosis::finding::{Check, Finding, State};
use crate::analysis::diagnosis::judge;
use crate::engine::connection::tls_failure;
use crate::engine::plan::{Connections, Lifetime, Plan};
use crate::engine::{Footprint, driver_config};
use crate::io::uring::Uring as Ring;
use crate::io::{Backend, Dialer, Sockets, probe, socket, wall_clock};
use crate::load::Load;
use crate::load::closed::Closed;
use crate::machine;
use crate::machine::{Machine, cpu, network, sleeping};
use crate::record::hints;
use crate::wire::TlsClient;

use super::cores::share_out;
use super::limits::descriptors_needed;
use super::resolved::Resolved;
use super::source::{ScenarioText, Source};
use super::target::{REACH_TIMEOUT, Target};
use super::tls;

const DAY_S: i64 = 86_400;
/// How long sleeps are measured.
const SLEEPS_TIME: Duration = Duration::from_millis(200);
/// Proxy variables that other clients of plain HTTP obey.
const PROXY_VARIABLES: [&str; 4] = ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"];
/// What a run's preparation neither refuses nor says by itself when it is a problem.
const NOT_SAID_OTHERWISE: [Check; 5] = [
    Check::Governor,
    Check::Clock,
    Check::TimerSlack,
    Check::LockedMemory,
    Check::Ports,
];

/// A service that is to be tested.
pub struct Tested {
    pub target: Target,
    /// Addresses given by hand.
    pub resolved: Vec<Resolved>,
    /// How it is encrypted; `None` in plain text.
    pub client: Option<TlsClient>,
    /// The same, with any certificate accepted: what a certificate says that the first one refuses.
    pub trusting: Option<TlsClient>,
}

/// Looks at the machine with so many connections to this target in mind. No request is sent; it takes 0.2 s, and 4 s
/// more at most with a target, or 12 s with one whose handshake stalls.
///
/// # Errors
/// When the allowed cores or the descriptor limit cannot be read.
pub fn examine(tested: Option<&Tested>, connections: u64) -> Result<Vec<Finding>> {
    let (path, addresses) = match tested {
        Some(tested) => {
            let (path, addresses) = reach(tested);
            (Some(path), addresses)
        }
        None => (None, Vec::new()),
    };
    let encryption = tested.and_then(|tested| encryption(tested, &addresses));
    let plan = plan(connections, addresses)?;
    let sockets = Sockets::default();
    let config = driver_config(&plan, &sockets, 0);
    let choice = probe::choose(Backend::Auto, &config).map_err(anyhow::Error::msg)?;
    let mut facts = facts(&plan, &sockets, choice.backend, false)?;
    facts.uring = Some(match choice.refusal {
        None => Uring::Available,
        Some(refusal) => Uring::Refused {
            cause: refusal.cause,
            cure: refusal.cure,
        },
    });
    facts.late_ns = sleeping::wake_ups_late_ns(SLEEPS_TIME);
    facts.path = path;
    facts.encryption = encryption;
    Ok(judge::findings(&facts))
}

/// Findings that limit a run and that its preparation does not say otherwise, as notes.
///
/// # Errors
/// As [`examine`].
pub fn notes(
    plan: &Plan,
    sockets: &Sockets,
    backend: Backend,
    has_stand_in: bool,
) -> Result<Vec<String>> {
    let facts = facts(plan, sockets, backend, has_stand_in)?;
    Ok(notes_of(&judge::findings(&facts)))
}

/// The proxy variables that are set. opsurge ignores them.
pub fn proxies_set() -> Vec<&'static str> {
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    PROXY_VARIABLES.into_iter().filter(is_set).collect()
}

fn notes_of(findings: &[Finding]) -> Vec<String> {
    let problems = findings.iter().filter(|finding| {
        finding.state == State::Limits && NOT_SAID_OTHERWISE.contains(&finding.check)
    });
    problems
        .map(|finding| {
            format!(
                "{} {}: {}; cure: {}",
                finding.check.name(),
                finding.found,
                finding.effect,
                finding.cure
            )
        })
        .collect()
}

/// What can be read at once. Probes and measurements are left out.
fn facts(plan: &Plan, sockets: &Sockets, backend: Backend, has_stand_in: bool) -> Result<Facts> {
    let allowed = cpu::allowed_cores().context("the allowed cores are not known")?;
    let needed = descriptors_needed(plan, has_stand_in);
    let limit = cpu::raise_descriptor_limit(needed).context("the descriptor limit is not known")?;
    let footprint = Footprint::of(plan, backend, 0);
    Ok(Facts {
        plan: Planned {
            connections: plan.slots_before_shard(plan.shards) as u64,
            shards: plan.shards as u64,
        },
        cores: Cores {
            allowed: allowed.len() as u64,
            online: cpu::online_cores().map(|count| count as u64),
            quota: machine::cpu_quota_cores(),
        },
        governors: machine::governors(&allowed),
        clock: Some(Clock {
            source: sleeping::clock_source(),
            reading_ns: sleeping::clock_reading_ns(),
        }),
        timer_slack_ns: sleeping::timer_slack_ns(),
        late_ns: Vec::new(),
        wall_clock: wall_clock().map(|clock| WallClock {
            is_synchronised: clock.is_synchronised,
            error_us_max: clock.error_us_max,
        }),
        uring: None,
        kernel: Machine::read().kernel_version(),
        locked_memory: locked_memory(plan, sockets, backend),
        descriptors: Some(Descriptors {
            allowed: limit,
            needed,
        }),
        memory: machine::free_bytes().map(|free| Memory {
            free,
            needed: footprint.bytes() as u64,
        }),
        ports: ports(plan, sockets),
        backlog_max: network::backlog_max(),
        path: None,
        encryption: None,
        proxies: proxies_set(),
    })
}

fn locked_memory(plan: &Plan, sockets: &Sockets, backend: Backend) -> Option<LockedMemory> {
    let limit = machine::locked_bytes_max().filter(|_| backend == Backend::Uring)?;
    let rings =
        (0..plan.shards).map(|shard| Ring::queue_bytes(&driver_config(plan, sockets, shard)));
    Some(LockedMemory {
        limit,
        needed: rings.sum::<usize>() as u64,
    })
}

/// `None` for a Unix socket.
fn ports(plan: &Plan, sockets: &Sockets) -> Option<Ports> {
    let is_by_port = |to: &SockAddr| !to.is_unix();
    let (first, last) = socket::local_ports().filter(|_| plan.addresses.iter().all(is_by_port))?;
    let is_loopback = |to: &SockAddr| to.as_socket().is_some_and(|to| to.ip().is_loopback());
    let are_loopback = !plan.addresses.is_empty() && plan.addresses.iter().all(is_loopback);
    let mut ports = Ports {
        first,
        last,
        routes: Dialer::new(&plan.addresses, sockets).routes() as u64,
        in_time_wait: network::in_time_wait(),
        in_time_wait_at_target: None,
        reuses_time_wait: match network::time_wait_reuse() {
            Some(1) => true,
            Some(2) => are_loopback,
            _ => false,
        },
    };
    let to_each = plan.slots_before_shard(plan.shards) / plan.targets();
    let connections = to_each as u64;
    let may_matter = connections + ports.in_time_wait.unwrap_or(0) > ports.of_all_routes();
    if may_matter && !plan.addresses.is_empty() {
        let addresses: Vec<_> = plan
            .addresses
            .iter()
            .filter_map(SockAddr::as_socket)
            .collect();
        ports.in_time_wait_at_target = network::in_time_wait_at(&addresses);
    }
    Some(ports)
}

/// A run of GET requests with one connection for each user.
fn plan(connections: u64, addresses: Vec<SockAddr>) -> Result<Plan> {
    let allowed = cpu::allowed_cores().context("the allowed cores are not known")?;
    let users = usize::try_from(connections).unwrap_or(usize::MAX);
    let cores = share_out(&allowed, machine::cpu_quota_cores(), None, false, users);
    let text = ScenarioText {
        source: Source::of_url("doctor", None, "/", None),
        headers: Vec::new(),
        targets: Vec::new(),
        api_key: None,
        api_key_env: String::new(),
        wait: None,
        pause: None,
        any_method: false,
    };
    Ok(Plan {
        scenario: text.compile()?.bind("localhost", ""),
        load: Load::Closed(Closed::at_rate(connections, 1e9)),
        run_time_ns: None,
        timeout_ns: REACH_TIMEOUT.as_nanos() as u64,
        drain_ns: None,
        spins: false,
        seed: 0,
        connections: Connections::PerUser,
        lifetime: Lifetime::default(),
        shards: cores.shards.len(),
        addresses,
    })
}

/// Tries a connection, and tells whether the target is on this machine.
fn reach(tested: &Tested) -> (Path, Vec<SockAddr>) {
    let target = &tested.target;
    let reached = target.reach(&tested.resolved).and_then(|addresses| {
        let first = addresses.first().ok_or_else(|| anyhow!("no address"))?;
        let began = Instant::now();
        socket::reachable(std::slice::from_ref(first), REACH_TIMEOUT)?;
        let connect_us = began.elapsed().as_micros() as u64;
        let reached = match is_of_this_machine(first) {
            true => Reached::Local { connect_us },
            false => Reached::Network { connect_us },
        };
        Ok((reached, addresses))
    });
    let (reached, addresses) = reached.unwrap_or_else(|error| {
        // The contexts around it are written for a run that ends there.
        let reason = format!("{}: {}", target.url, error.root_cause());
        (Reached::Not { reason }, Vec::new())
    });
    let target = target.url.clone();
    (Path { target, reached }, addresses)
}

/// What a handshake with the first address finds; `None` in plain text and where no connection was opened.
fn encryption(tested: &Tested, addresses: &[SockAddr]) -> Option<Encryption> {
    let client = tested.client.as_ref().filter(|_| !addresses.is_empty())?;
    let sockets = Sockets::default();
    let mut not_after_s = None;
    let shaken = match tls::shake_once(client, addresses, &sockets) {
        Ok(Ok((agreed, took))) => {
            not_after_s = agreed.not_after_s;
            Shaken::Done {
                version: agreed.version.to_owned(),
                cipher: agreed.cipher,
                protocol: agreed.protocol,
                took_us: took.as_micros() as u64,
            }
        }
        Ok(Err(failure)) => {
            let trusting = tested.trusting.as_ref();
            let other = trusting.map(|client| tls::shake_once(client, addresses, &sockets));
            if let Some(Ok(Ok((agreed, _)))) = other {
                not_after_s = agreed.not_after_s;
            }
            Shaken::Failed {
                reason: failure.to_string(),
                cure: hints::cure(tls_failure(failure)).unwrap_or_default().into(),
            }
        }
        Err(error) => Shaken::Failed {
            reason: format!("no answer ({error})"),
            cure: "check that this is the https port, and that the server is well".into(),
        },
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let left_s = not_after_s.map(|end| end - now.as_secs() as i64);
    Some(Encryption {
        target: tested.target.url.clone(),
        shaken,
        days_left: left_s.map(|seconds| seconds.div_euclid(DAY_S)),
    })
}

/// Whether packets to this address leave from the same address: then they do not leave the machine. Connecting a
/// datagram socket sends nothing.
fn is_of_this_machine(to: &SockAddr) -> bool {
    let Some(to) = to.as_socket() else {
        return true;
    };
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let from = UdpSocket::bind(any).and_then(|socket| {
        socket.connect(to)?;
        socket.local_addr()
    });
    to.ip().is_loopback() || from.is_ok_and(|from| from.ip() == to.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(check: Check, state: State) -> Finding {
        Finding {
            check,
            state,
            found: "10 ms".into(),
            effect: "requests leave late".into(),
            cure: "less of it".into(),
        }
    }

    #[test]
    fn only_problems_that_nothing_else_says_become_notes() {
        let findings = [
            finding(Check::TimerSlack, State::Limits),
            finding(Check::TimerSlack, State::Note),
            finding(Check::WallClock, State::Note),
            finding(Check::Quota, State::Limits),
            finding(Check::Descriptors, State::Limits),
        ];
        assert_eq!(
            notes_of(&findings),
            ["timer-slack 10 ms: requests leave late; cure: less of it"]
        );
    }

    #[test]
    fn a_machine_is_examined_without_a_target() {
        let findings = examine(None, 100).expect("it is carried out");
        for check in [Check::Cores, Check::Uring, Check::WakeUps, Check::Ports] {
            assert!(findings.iter().any(|finding| finding.check == check));
        }
        assert!(!findings.iter().any(|finding| finding.check == Check::Path));
    }
}

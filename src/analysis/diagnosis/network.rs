//! Findings on the network: ports, backlog, the way to the target, proxies.

use super::facts::{Path, Planned, Ports, Reached};
use super::finding::{Check, Finding, State};
use crate::text::units::{counted, grouped, time};

/// Seconds that a closed connection keeps its port (`TCP_TIMEWAIT_LEN`).
const TIME_WAIT_S: u64 = 60;

pub(super) fn ports(ports: Ports, plan: &Planned) -> Finding {
    let connections = plan.connections;
    let all = ports.of_all_routes();
    let waiting_at_target = ports.in_time_wait_at_target;
    let waiting = waiting_at_target.or(ports.in_time_wait).unwrap_or(0);
    let found = format!(
        "{} ({} to {}) for {}, {} in TIME_WAIT",
        counted(all, "port"),
        ports.first,
        ports.last,
        counted(connections, "connection"),
        match (waiting_at_target, ports.in_time_wait) {
            (Some(waiting), _) => format!("{} to the target", grouped(waiting)),
            (None, Some(waiting)) => grouped(waiting),
            (None, None) => "an unknown number".to_owned(),
        },
    );
    let more = "--source-address with more addresses, or sysctl -w net.ipv4.ip_local_port_range='1024 65535'";
    if connections > all {
        Finding::new(
            Check::Ports,
            State::Limits,
            found,
            "a run with so many connections to one address is refused before its first request",
            more,
        )
    } else if connections + waiting <= all {
        Finding::new(
            Check::Ports,
            State::Ok,
            found,
            format!(
                "every connection has a port; {} new ones a second can end on this side for long, since each keeps its \
                 port for {TIME_WAIT_S} s",
                grouped(all / TIME_WAIT_S)
            ),
            "--tcp linger=0 (a reset keeps no port), or --source-address with more addresses",
        )
    } else if waiting_at_target.is_none() {
        Finding::new(
            Check::Ports,
            State::Note,
            found,
            format!(
                "where they were connections to the target, their ports are taken for up to {TIME_WAIT_S} s"
            ),
            "--host to count those to the target, or wait for a minute",
        )
    } else if ports.reuses_time_wait {
        Finding::new(
            Check::Ports,
            State::Note,
            found,
            "ports may be taken until a second after their connection ended: connecting takes longer",
            "wait for a minute, or --source-address with more addresses",
        )
    } else {
        Finding::new(
            Check::Ports,
            State::Limits,
            found,
            format!(
                "ports may be taken for up to {TIME_WAIT_S} s: connections then fail (client-limit)"
            ),
            "wait for a minute, sysctl -w net.ipv4.tcp_tw_reuse=1, or --source-address with more addresses",
        )
    }
}

pub(super) fn backlog(backlog_max: u64, plan: &Planned) -> Finding {
    let connections = counted(plan.connections, "connection");
    let found = format!("{} for {connections}", grouped(backlog_max));
    match plan.connections <= backlog_max {
        true => Finding::new(
            Check::Backlog,
            State::Ok,
            found,
            "a server on this machine can queue all of them before it accepts, if it asks for so long a queue",
            "sysctl -w net.core.somaxconn=N, then restart the server",
        ),
        false => Finding::new(
            Check::Backlog,
            State::Note,
            found,
            "a server on this machine drops what exceeds its queue: those connections take 1 s or longer",
            format!(
                "sysctl -w net.core.somaxconn={} and restart the server, or a slower ramp (-r)",
                plan.connections
            ),
        ),
    }
}

pub(super) fn path(path: &Path) -> Finding {
    let target = &path.target;
    match &path.reached {
        Reached::Local { connect_us } => Finding::new(
            Check::Path,
            State::Note,
            format!(
                "{target} is on this machine, connected in {}",
                time(*connect_us as f64)
            ),
            "times contain no network, and server and generator share cores, caches and memory",
            "give each its own cores (taskset), or run the generator on another machine",
        ),
        Reached::Network { connect_us } => Finding::new(
            Check::Path,
            State::Ok,
            format!(
                "{target} over a network, connected in {}",
                time(*connect_us as f64)
            ),
            "every time contains about one such round trip",
            "run the generator nearer to the server",
        ),
        Reached::Not { reason } => Finding::new(
            Check::Path,
            State::Limits,
            reason,
            "a run sends nothing and ends with exit code 3",
            "start the service, or correct --host",
        ),
    }
}

pub(super) fn proxies(set: &[&str]) -> Finding {
    match set {
        [] => Finding::new(
            Check::Proxies,
            State::Ok,
            "no proxy variable is set",
            "requests go straight to the target, as always",
            "not possible: opsurge sends to no proxy",
        ),
        set => Finding::new(
            Check::Proxies,
            State::Note,
            format!("{} set and ignored", set.join(", ")),
            "requests go straight to the target; curl and Locust use the proxy, so their times differ",
            "unset the variables for the other tool too",
        ),
    }
}

impl Ports {
    /// Ports of all pairs of addresses together.
    pub fn of_all_routes(self) -> u64 {
        (u64::from(self.last - self.first) + 1) * self.routes.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_ports(connections: u64, at_target: u64, reuses: bool, routes: u64, expected: State) {
        let facts = Ports {
            first: 32_768,
            last: 60_999,
            routes,
            in_time_wait: Some(28_000),
            in_time_wait_at_target: Some(at_target),
            reuses_time_wait: reuses,
        };
        let plan = Planned {
            connections,
            shards: 2,
        };
        let finding = ports(facts, &plan);
        assert_eq!(finding.state, expected, "{finding:?}");
    }

    #[test]
    fn ports_are_held_against_connections_and_those_that_ended() {
        check_ports(28_232, 0, false, 1, State::Ok);
        check_ports(28_233, 0, false, 1, State::Limits);
        check_ports(28_233, 0, false, 2, State::Ok);
        check_ports(8_232, 20_001, false, 1, State::Limits);
        check_ports(8_232, 20_001, true, 1, State::Note);
        check_ports(8_232, 20_000, false, 1, State::Ok);
    }

    #[test]
    fn connections_that_ended_elsewhere_are_worth_a_note_at_most() {
        let of = |waiting, at_target| {
            let facts = Ports {
                first: 32_768,
                last: 60_999,
                routes: 1,
                in_time_wait: Some(waiting),
                in_time_wait_at_target: at_target,
                reuses_time_wait: false,
            };
            let plan = Planned {
                connections: 8_232,
                shards: 2,
            };
            ports(facts, &plan).state
        };
        assert_eq!(of(20_000, None), State::Ok);
        assert_eq!(of(20_001, None), State::Note);
        assert_eq!(of(28_000, Some(10)), State::Ok);
        assert_eq!(of(28_000, Some(28_000)), State::Limits);
    }

    #[test]
    fn a_short_backlog_is_worth_a_note() {
        let plan = Planned {
            connections: 1_000,
            shards: 1,
        };
        assert_eq!(backlog(4_096, &plan).state, State::Ok);
        let short = backlog(128, &plan);
        assert_eq!(short.state, State::Note);
        assert!(short.cure.contains("somaxconn=1000"), "{short:?}");
    }

    #[test]
    fn the_path_is_named_and_a_target_that_is_not_there_limits() {
        let of = |reached| {
            path(&Path {
                target: "http://a:80".into(),
                reached,
            })
        };
        let local = of(Reached::Local { connect_us: 40 });
        assert_eq!(local.state, State::Note);
        assert!(local.found.starts_with("http://a:80 is on this machine"));
        assert_eq!(of(Reached::Network { connect_us: 900 }).state, State::Ok);
        let reason = "nothing accepts connections".to_owned();
        assert_eq!(of(Reached::Not { reason }).state, State::Limits);
    }

    #[test]
    fn proxy_variables_are_named_without_their_values() {
        assert_eq!(proxies(&[]).state, State::Ok);
        let set = proxies(&["http_proxy", "ALL_PROXY"]);
        assert_eq!(set.found, "http_proxy, ALL_PROXY set and ignored");
        assert_eq!(set.state, State::Note);
    }
}

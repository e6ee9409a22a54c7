//! What a handshake with the target costs, tried before the load, and how long those of all connections will take.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use socket2::SockAddr;

use crate::engine::plan::Plan;
use crate::io::{Dialer, Sockets, socket};
use crate::machine::cpu::thread_cpu_ns;
use crate::wire::TlsClient;
use crate::wire::session::{CarryPool, Session, Sinks};

use super::tls::{end, open_session};

/// Fewer connections shake hands within milliseconds: nothing is tried or said.
pub const CONNECTIONS_MIN: u64 = 100;
/// Handshakes of each kind. The first one finds cold caches.
const TRIES: usize = 4;
/// No further handshake is begun after this time: a far target is not kept busy, nor the user waiting.
const TRYING_MAX: Duration = Duration::from_millis(300);
/// How long a connection and each flight of a handshake are waited for.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// How long a ticket is waited for. Some servers send none.
const TICKET_WAIT_MAX: Duration = Duration::from_millis(200);
const READ_BYTES: usize = 16 * 1024;

/// What one handshake costs, its connection included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// CPU time of this side.
    pub client_ns: u64,
    /// Time in which this side waited: the way there and back, and the server's work.
    pub waited_ns: u64,
}

/// What the handshakes of a run are expected to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Connections that shake hands.
    pub connections: u64,
    /// Shards that share the work.
    pub shards: u64,
    pub full: Cost,
    /// `None` where sessions are not resumed.
    pub resumed: Option<Cost>,
    /// The server runs on this machine: what is waited for is its work.
    pub is_local: bool,
    /// Server and generator share cores: their work adds up.
    pub shares_cores: bool,
    /// Time in which the users come.
    pub ramp_ns: u64,
}

impl Expected {
    /// Time until all connections are open, all of them after full handshakes, in nanoseconds. A server on this machine is
    /// taken to have one thread.
    pub fn full_ns(&self) -> u64 {
        self.took_ns(self.full)
    }

    /// The same with resumed handshakes.
    pub fn resumed_ns(&self) -> Option<u64> {
        self.resumed.map(|cost| self.took_ns(cost))
    }

    fn took_ns(&self, cost: Cost) -> u64 {
        let here_ns = cost.client_ns * self.connections.div_ceil(self.shards.max(1));
        let work_ns = match (self.is_local, self.shares_cores) {
            // One after the other here, and the last answer is waited for.
            (false, _) => here_ns + cost.waited_ns,
            (true, false) => here_ns.max(cost.waited_ns * self.connections),
            (true, true) => here_ns + cost.waited_ns * self.connections,
        };
        // The last user shakes hands when it has come.
        work_ns.max(self.ramp_ns + cost.client_ns + cost.waited_ns)
    }

    /// Tries a few handshakes with the first address; `None` where none is to be expected, or where one fails: the load
    /// will show why.
    pub fn try_out(
        plan: &Plan,
        client: &TlsClient,
        sockets: &Sockets,
        shares_cores: bool,
    ) -> Option<Self> {
        let planned = (0..plan.shards).map(|shard| plan.connections_planned_of_shard(shard) as u64);
        let connections = planned.sum();
        if connections < CONNECTIONS_MIN {
            return None;
        }
        let trial = Trial {
            dialer: Dialer::new(&plan.addresses, sockets),
            until: Instant::now() + TRYING_MAX,
        };
        // As the shards' own, which remember the certificates too.
        let of_full = client.clone().without_resumption().for_connections(1);
        let full = trial.cost(&of_full, false)?;
        let resumed = match client.resumes() {
            true => trial.cost(&client.for_connections(1), true),
            false => None,
        };
        Some(Self {
            connections,
            shards: plan.shards as u64,
            full,
            resumed,
            is_local: plan.addresses.first().is_some_and(is_local),
            shares_cores,
            ramp_ns: plan.load.users().settled_ns(),
        })
    }
}

/// A service on this machine, as far as its address tells.
fn is_local(address: &SockAddr) -> bool {
    let is_loopback = |to: std::net::SocketAddr| to.ip().is_loopback();
    address.is_unix() || address.as_socket().is_some_and(is_loopback)
}

struct Trial {
    dialer: Dialer,
    /// No handshake is begun after it.
    until: Instant,
}

impl Trial {
    /// The usual cost of a full handshake, or of one that resumes the session of the one before; `None` when there was
    /// none of its kind.
    fn cost(&self, client: &TlsClient, resumes: bool) -> Option<Cost> {
        let mut costs = Vec::with_capacity(TRIES);
        // The first of those that resume has nothing to resume.
        for _ in 0..TRIES + usize::from(resumes) {
            if !costs.is_empty() && Instant::now() > self.until {
                break;
            }
            let Ok((is_resumed, cost)) = self.handshake(client, resumes) else {
                break;
            };
            if is_resumed == resumes {
                costs.push(cost);
            }
        }
        usual(&costs)
    }

    /// Does a handshake. With `takes_ticket` the next one can resume its session.
    fn handshake(&self, client: &TlsClient, takes_ticket: bool) -> io::Result<(bool, Cost)> {
        let (from, from_cpu_ns) = (Instant::now(), thread_cpu_ns());
        let mut stream = socket::open_route(&self.dialer, 0, WAIT_MAX)?;
        stream.set_read_timeout(Some(WAIT_MAX))?;
        stream.set_write_timeout(Some(WAIT_MAX))?;
        let opened = open_session(client, &mut stream)?;
        let mut session = opened.map_err(|failure| io::Error::other(failure.to_string()))?;
        let client_ns = thread_cpu_ns().saturating_sub(from_cpu_ns);
        let took_ns = from.elapsed().as_nanos() as u64;
        if takes_ticket {
            stream.set_read_timeout(Some(TICKET_WAIT_MAX))?;
            take_ticket(&mut session, &mut stream)?;
        }
        end(&mut session, &mut stream);
        let cost = Cost {
            client_ns,
            waited_ns: took_ns.saturating_sub(client_ns),
        };
        Ok((session.is_resumed() == Some(true), cost))
    }
}

/// The usual CPU time, and the least wait: other programs can only make it longer.
fn usual(costs: &[Cost]) -> Option<Cost> {
    let mut client_ns: Vec<u64> = costs.iter().map(|cost| cost.client_ns).collect();
    client_ns.sort_unstable();
    Some(Cost {
        client_ns: *client_ns.get(client_ns.len() / 2)?,
        waited_ns: costs.iter().map(|cost| cost.waited_ns).min()?,
    })
}

/// Reads once: a server of TLS 1.3 sends its tickets behind the handshake (RFC 8446 section 4.6.1). A session of TLS 1.2
/// has its own already, and one that brings none is not resumed.
fn take_ticket(session: &mut Session, stream: &mut impl Read) -> io::Result<()> {
    if session.agreed().version != "TLS 1.3" {
        return Ok(());
    }
    let mut bytes = vec![0; READ_BYTES];
    let received = stream.read(&mut bytes)?;
    let (mut plain, mut records) = (Vec::new(), Vec::new());
    let mut sinks = Sinks {
        plain: &mut plain,
        records: &mut records,
    };
    session.on_received(
        &mut bytes[..received],
        &mut CarryPool::default(),
        &mut sinks,
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: Expected = Expected {
        connections: 8_000,
        shards: 2,
        full: Cost {
            client_ns: 200_000,
            waited_ns: 150_000,
        },
        resumed: Some(Cost {
            client_ns: 100_000,
            waited_ns: 80_000,
        }),
        is_local: true,
        shares_cores: false,
        ramp_ns: 0,
    };

    #[test]
    fn the_slower_side_says_how_long_it_takes() {
        // 4,000 x 0.2 ms in each shard, 8,000 x 0.15 ms at a server with one thread.
        assert_eq!(EXPECTED.full_ns(), 1_200_000_000);
        assert_eq!(EXPECTED.resumed_ns(), Some(640_000_000));
        let one_shard = Expected {
            shards: 1,
            ..EXPECTED
        };
        assert_eq!(one_shard.full_ns(), 1_600_000_000);
    }

    #[test]
    fn work_on_shared_cores_adds_up() {
        let shared = Expected {
            shards: 1,
            shares_cores: true,
            ..EXPECTED
        };
        assert_eq!(shared.full_ns(), 2_800_000_000);
    }

    #[test]
    fn the_work_of_a_far_server_is_not_known() {
        let far = Expected {
            is_local: false,
            ..EXPECTED
        };
        assert_eq!(far.full_ns(), 800_150_000);
    }

    #[test]
    fn users_that_come_slowly_are_waited_for() {
        let slow = Expected {
            ramp_ns: 80_000_000_000,
            ..EXPECTED
        };
        assert_eq!(slow.full_ns(), 80_000_350_000);
    }

    #[test]
    fn the_usual_cost_has_the_middle_cpu_time_and_the_least_wait() {
        let cost = |client_ns, waited_ns| Cost {
            client_ns,
            waited_ns,
        };
        let costs = [cost(9, 1), cost(2, 8), cost(3, 3)];
        assert_eq!(usual(&costs), Some(cost(3, 1)));
        assert_eq!(usual(&[]), None);
    }
}

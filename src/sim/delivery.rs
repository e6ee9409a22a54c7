//! What becomes of a reply on its way to the client: it arrives late, in pieces, in part, or not at all.

use super::driver::Sim;
use super::network::Fault;
use super::schedule::Happening;
use super::service::{Reply, Service};
use crate::io::ConnectionId;

/// Errors that end reading before the end of the stream.
const RESET_ERRNOS: [i32; 4] = [
    libc::ECONNRESET,
    libc::ECONNRESET,
    libc::ETIMEDOUT,
    libc::ECANCELED,
];
/// Unsolicited bytes: none of them is the beginning of an answer.
const SURPLUS: [&[u8]; 4] = [b"\r\n", b"garbage", b"\0", b"HTTP/2 200\r\n\r\n"];
/// Longest time after a reply until an idle connection ends.
const IDLE_NS_MAX: u64 = 1_000_000_000;

impl<S: Service> Sim<S> {
    /// The service replies: decides when the reply arrives, and which part of it.
    pub(super) fn reply(&mut self, connection: ConnectionId, reply: Reply) {
        let travel_ns = self.injector.travel_ns();
        let state = &mut self.connections[connection.slot as usize];
        if state.lost {
            return;
        }
        let at_ns = (self.clock_ns + reply.delay_ns() + travel_ns).max(state.to_client_ns);
        state.to_client_ns = at_ns;
        match reply {
            Reply::Close(_) => self.schedule.add(at_ns, connection, Happening::Closed),
            Reply::Reset(_) => {
                let reset = Happening::Reset(libc::ECONNRESET);
                self.schedule.add(at_ns, connection, reset);
            }
            Reply::Bytes(_, bytes) => self.deliver(at_ns, connection, bytes),
        }
    }

    fn deliver(&mut self, at_ns: u64, connection: ConnectionId, mut bytes: Vec<u8>) {
        if self.injector.hits(Fault::Lose) {
            self.connections[connection.slot as usize].lost = true;
            return;
        }
        if self.injector.hits(Fault::Garble) {
            bytes[0] = self.injector.dice.below(256) as u8;
        }
        let reset = self.injector.hits(Fault::Reset);
        let cut = self.injector.hits(Fault::Cut);
        if reset || cut {
            self.injector.shorten(&mut bytes);
        }
        let mut at_ns = at_ns;
        loop {
            if self.injector.hits(Fault::Stall) {
                at_ns += self.injector.dice.below(self.injector.network.stall_ns);
            }
            if bytes.len() < 2 || !self.injector.hits(Fault::SplitReads) {
                break;
            }
            let rest = self.injector.split_off(&mut bytes);
            let piece = Happening::ToClient(bytes);
            self.schedule.add(at_ns, connection, piece);
            at_ns += self.injector.jitter_ns();
            bytes = rest;
        }
        if !bytes.is_empty() {
            let piece = Happening::ToClient(bytes);
            self.schedule.add(at_ns, connection, piece);
        }
        self.connections[connection.slot as usize].to_client_ns = at_ns;
        if reset || cut {
            let end = self.end(reset);
            self.schedule.add(at_ns, connection, end);
        } else {
            self.after_reply(at_ns, connection);
        }
    }

    /// A whole reply arrives at `at_ns`: what follows it unasked.
    fn after_reply(&mut self, at_ns: u64, connection: ConnectionId) {
        if self.injector.hits(Fault::Surplus) {
            let bytes = self.injector.dice.pick(&SURPLUS).to_vec();
            let after_ns = self.injector.jitter_ns();
            let surplus = Happening::ToClient(bytes);
            self.schedule.add(at_ns + after_ns, connection, surplus);
        }
        if self.injector.hits(Fault::IdleEnd) {
            let after_ns = self.injector.dice.below(IDLE_NS_MAX);
            let end = self.any_end();
            self.schedule.add(at_ns + after_ns, connection, end);
        }
    }

    /// An end by a reset or by a FIN, each with a chance of a half.
    pub(super) fn any_end(&mut self) -> Happening {
        let reset = self.injector.dice.hits(0.5);
        self.end(reset)
    }

    fn end(&mut self, reset: bool) -> Happening {
        match reset {
            true => Happening::Reset(self.injector.dice.pick(&RESET_ERRNOS)),
            false => Happening::Closed,
        }
    }
}

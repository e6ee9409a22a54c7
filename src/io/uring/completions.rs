//! What each completion does: events for the shard, buffers back, receives to be armed again.

use io_uring::cqueue;

use super::driver::Uring;
use super::receive::{Receive, Size};
use crate::io::driver::{Event, Io};
use crate::io::token::{self, ConnectionId, Operation};

/// Consecutive buffers whose fill level argues for the other size, until a connection changes to it.
const STREAK_MAX: u8 = 4;

/// Whether a failed receive is armed again. ENOBUFS: all buffers were taken; they are released in this turn, and the
/// data waits in the socket. ECANCELED: the receive was ended to change the size of its buffers.
fn is_to_rearm(result: i32) -> bool {
    result == -libc::ENOBUFS || result == -libc::ECANCELED
}

impl Uring {
    /// Handles a batch of completions.
    pub(super) fn reap(&mut self, events: &mut Vec<Event>) {
        events.append(&mut self.early);
        let mut completions = std::mem::take(&mut self.completions);
        self.queue.take(&mut completions);
        for completion in completions.drain(..) {
            self.on_completion(&completion, events);
        }
        self.completions = completions;
    }

    fn on_completion(&mut self, completion: &cqueue::Entry, events: &mut Vec<Event>) {
        let result = completion.result();
        let Some((operation, index, generation)) = token::unpack(completion.user_data()) else {
            unreachable!("every entry carries a packed token");
        };
        let connection = ConnectionId {
            slot: index,
            generation,
        };
        match operation {
            Operation::Connect => self.on_connected(connection, result, events),
            Operation::Receive => self.on_received(connection, Size::Small, completion, events),
            Operation::ReceiveLarge => {
                self.on_received(connection, Size::Large, completion, events);
            }
            Operation::Cancel => {}
            Operation::ReceiveInto => self.on_received_into(index, result, events),
            Operation::Send => self.on_sent(index, result, events),
        }
    }

    fn on_connected(&mut self, connection: ConnectionId, result: i32, events: &mut Vec<Event>) {
        let io = if result < 0 {
            Io::ConnectFailed(-result)
        } else {
            self.to_arm.push(connection);
            Io::Connected
        };
        events.push(Event { connection, io });
    }

    /// A multishot receive: the kernel has picked a provided buffer, or the receive has ended.
    fn on_received(
        &mut self,
        connection: ConnectionId,
        size: Size,
        completion: &cqueue::Entry,
        events: &mut Vec<Event>,
    ) {
        let result = completion.result();
        let buffer = cqueue::buffer_select(completion.flags());
        if let Some(id) = buffer {
            self.receive.take(size, id);
        }
        if self.is_lingering(connection) {
            if let Some(id) = buffer {
                self.receive.publish(size, id);
            }
            let is_armed = cqueue::more(completion.flags());
            return self.on_lingering(connection, result, is_armed);
        }
        let io = match (result, buffer) {
            (1.., Some(id)) => {
                let is_armed = cqueue::more(completion.flags());
                self.choose_size(connection, size, result as usize, is_armed);
                if !is_armed {
                    self.to_arm.push(connection);
                }
                Io::Received(size.received(id, result as u32))
            }
            (result, _) if is_to_rearm(result) => {
                self.to_arm.push(connection);
                return;
            }
            (0.., buffer) => {
                if let Some(id) = buffer {
                    self.receive.publish(size, id);
                }
                self.on_receive_ended(connection);
                Io::Closed
            }
            (errno, _) => {
                self.on_receive_ended(connection);
                Io::ReceiveFailed(-errno)
            }
        };
        events.push(Event { connection, io });
    }

    fn on_receive_ended(&mut self, connection: ConnectionId) {
        let state = &mut self.connections[connection.slot as usize];
        state.ended |= state.generation == connection.generation;
    }

    /// Searches the list only for connections that have left their slots: once or twice in the life of each.
    fn is_lingering(&self, connection: ConnectionId) -> bool {
        self.live_socket(connection).is_none() && self.lingering.get(connection).is_some()
    }

    /// A receive of a connection that waits for its FIN.
    fn on_lingering(&mut self, connection: ConnectionId, result: i32, is_armed: bool) {
        match result {
            result if is_to_rearm(result) => self.to_arm.push(connection),
            1.. if self.lingering.passes_over_bytes => {
                if !is_armed {
                    self.to_arm.push(connection);
                }
            }
            0 => self.closing.extend(self.lingering.take(connection)),
            // The peer has sent more than its answer, or a reset: its FIN is not waited for any longer.
            _ => {
                if let Some(socket) = self.lingering.take(connection) {
                    self.shut(socket, false);
                }
            }
        }
    }

    /// Counts consecutive buffers whose fill level argues for the other size, and changes to it after [`STREAK_MAX`] of
    /// them. A receive that is still armed is ended, so that the next one uses the other size.
    fn choose_size(&mut self, connection: ConnectionId, size: Size, bytes: usize, is_armed: bool) {
        let state = &mut self.connections[connection.slot as usize];
        let is_settled = state.generation == connection.generation && state.size == size;
        if !is_settled || state.socket.is_none() {
            return;
        }
        state.streak = match size.is_wrong_for(bytes) {
            true => state.streak + 1,
            false => 0,
        };
        if state.streak < STREAK_MAX {
            return;
        }
        state.streak = 0;
        state.size = size.other();
        if is_armed {
            self.cancel_receive(connection, size);
        }
    }

    /// A one-shot receive into the buffer with this index.
    fn on_received_into(&mut self, index: u32, result: i32, events: &mut Vec<Event>) {
        let Receive::OneShot(one_shot) = &mut self.receive else {
            return;
        };
        let connection = one_shot.connection(index);
        let state = &self.connections[connection.slot as usize];
        let is_live = state.generation == connection.generation && state.socket.is_some();
        if !is_live && self.lingering.get(connection).is_some() {
            one_shot.free(index);
            return self.on_lingering(connection, result, false);
        }
        let io = match result {
            1.. => {
                self.to_arm.push(connection);
                Io::Received(one_shot.report(index, result as u32))
            }
            _ => {
                one_shot.free(index);
                self.on_receive_ended(connection);
                match result {
                    0 => Io::Closed,
                    errno => Io::ReceiveFailed(-errno),
                }
            }
        };
        events.push(Event { connection, io });
    }

    /// A send has ended, or was cut short.
    fn on_sent(&mut self, index: u32, result: i32, events: &mut Vec<Event>) {
        let connection = self.sends.send(index).connection;
        if result >= 0 && !self.sends.advance(index, result as u32) {
            self.push_send(index);
            return;
        }
        self.sends.release(index);
        let state = &mut self.connections[connection.slot as usize];
        let mut is_awaited = false;
        if state.generation == connection.generation {
            state.sending = false;
            is_awaited = std::mem::take(&mut state.announces_sent);
        }
        let io = match result {
            ..0 => Io::SendFailed(-result),
            _ if is_awaited => Io::Sent,
            _ => return,
        };
        events.push(Event { connection, io });
    }
}

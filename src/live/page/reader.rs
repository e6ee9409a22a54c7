//! The threads that read the ticks and draw. Reading never waits for a drawing, nor a drawing for a reader of the page.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use crate::metrics::tick::Ticks;
use crate::report::html::LiveRun;

use super::board::Board;

/// Least time between two drawings, as a multiple of the CPU time that the last one took: drawing takes at most a tenth of
/// a core.
const REST_TIMES: u32 = 9;
/// Drawings are sent with at most so many bytes a second to all readers together.
const BYTES_PER_S_MAX: usize = 16_000_000;

/// Reads ticks into the board until they are closed.
pub fn read(ticks: &Ticks, board: &Board, drawn: &SyncSender<()>) {
    let mut number = 0;
    while let Some(tick) = ticks.next_after(number) {
        number = tick.number;
        board.push(tick);
        // A drawing that is due already shows this second too.
        let _ = drawn.try_send(());
    }
}

/// A channel from the reading thread to the drawing one: it says that there is something new, not how often.
pub fn channel() -> (SyncSender<()>, Receiver<()>) {
    sync_channel(1)
}

/// Draws what the board knows, once a second while somebody looks, until the ticks are closed.
pub fn draw(board: &Arc<Board>, news: &Receiver<()>) {
    let mut due = Instant::now();
    let mut is_drawn = true;
    loop {
        let wait = match is_drawn {
            true => Duration::from_secs(1),
            false => due.saturating_duration_since(Instant::now()),
        };
        match news.recv_timeout(wait) {
            Ok(()) => is_drawn = false,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let readers = board.readers();
        if is_drawn || readers == 0 || Instant::now() < due {
            continue;
        }
        let before = cpu_time();
        let size = board.draw(&board.record_so_far(), LiveRun::Lasts);
        is_drawn = true;
        let sent_s = (size * readers) as f64 / BYTES_PER_S_MAX as f64;
        let rest = cpu_time().saturating_sub(before) * REST_TIMES;
        due = Instant::now() + rest.max(Duration::from_secs_f64(sent_s));
    }
}

/// CPU time of this thread.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

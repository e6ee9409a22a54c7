//! The screen's thread: reads keys, takes ticks, draws. A terminal that is stopped or slow stops nothing else.

use std::io::{self, Write};
use std::panic;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

use crate::metrics::tick::{Found, Ticks};
use crate::text::printable;

use super::keys::{Changes, Wish};
use super::state::{About, State};
use super::{terminal, view};

/// Least time between two frames.
const FRAME: Duration = Duration::from_millis(250);
/// Longest wait for a key: after it the ticks are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Keys that are taken before the ticks are looked at again.
const KEYS_MAX: usize = 64;

/// The screen's way to the run.
pub struct Controls {
    /// As Ctrl-C.
    pub interrupt: Box<dyn Fn() + Send>,
    /// Asks for another level.
    pub change: Box<dyn Fn(f64) + Send>,
    /// The level that was asked for last, by any display.
    pub level_asked: Box<dyn Fn() -> Option<f64> + Send>,
    /// The next message that was meant for standard error.
    pub message: Box<dyn FnMut() -> Option<String> + Send>,
    /// Whether the process was stopped and continued since the last call.
    pub was_continued: Box<dyn Fn() -> bool + Send>,
    /// What the load can be changed to, or why it cannot be.
    pub changes: Result<Changes, String>,
}

/// The screen, drawn by a thread of its own.
pub struct Screen {
    ended: Receiver<Duration>,
}

impl Screen {
    /// Takes the terminal and draws until the ticks are closed.
    ///
    /// # Errors
    /// When the terminal or the machine refuses; the terminal is as it was then.
    pub fn start(ticks: Arc<Ticks>, about: About, controls: Controls) -> io::Result<Self> {
        terminal::take().inspect_err(|_| terminal::give_back())?;
        give_back_when_panicking();
        let (end, ended) = channel();
        ticks.add_reader();
        let body = move || run(&ticks, about, controls, &end);
        std::thread::Builder::new()
            .name("screen".into())
            .spawn(body)
            .inspect_err(|_| terminal::give_back())?;
        Ok(Self { ended })
    }

    /// Waits until the terminal is given back, which a terminal that takes nothing delays until it does. Returns the CPU
    /// time of the screen's thread; `None` when that thread has panicked.
    pub fn wait(self) -> Option<Duration> {
        let cost = self.ended.recv().ok();
        terminal::give_back();
        cost
    }
}

/// The message of a panic is printed on the normal screen, not on the alternate one, which is lost.
pub(super) fn give_back_when_panicking() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            terminal::give_back();
            before(panic);
        }));
    });
}

fn run(ticks: &Ticks, about: About, controls: Controls, end: &Sender<Duration>) {
    let mut state = State::new(about, controls.changes.clone());
    // A terminal that has gone ends the screen; the run goes on.
    let _ = draw_until_closed(ticks, &mut state, controls);
    terminal::give_back_at_last();
    let cost = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from);
    // The other side may have stopped waiting.
    let _ = end.send(cost.unwrap_or_default());
}

fn draw_until_closed(ticks: &Ticks, state: &mut State, mut controls: Controls) -> io::Result<()> {
    let mut size = terminal::size();
    let options = TerminalOptions {
        viewport: Viewport::Fixed(area(size)),
    };
    let mut drawn = Terminal::with_options(CrosstermBackend::new(Frames::default()), options)?;
    let mut number = 0;
    let mut is_changed = true;
    let mut next_frame = Instant::now();
    let mut has_keys = true;
    loop {
        let turn_began = Instant::now();
        let wait = match is_changed {
            true => LOOK.min(next_frame.saturating_duration_since(turn_began)),
            false => LOOK,
        };
        match has_keys.then(|| read_keys(wait, state, &controls)) {
            Some(Ok(was_pressed)) => is_changed |= was_pressed,
            Some(Err(_)) => has_keys = false,
            None => std::thread::sleep(wait),
        }
        match ticks.find_after(number) {
            Found::Tick(tick) => {
                number = tick.number;
                state.on_tick(tick);
                is_changed |= !state.keys.is_paused;
            }
            Found::Nothing => {}
            Found::End => return Ok(()),
        }
        if let Some(message) = (controls.message)() {
            state.say(printable::in_one_line(&message));
            is_changed = true;
        }
        if (controls.was_continued)() {
            terminal::take_again()?;
            drawn.resize(area(size))?;
            is_changed = true;
        }
        let size_now = terminal::size();
        if size_now != size {
            size = size_now;
            drawn.resize(area(size))?;
            is_changed = true;
        }
        let now = Instant::now();
        if now < next_frame {
            continue;
        }
        is_changed |= state.on_frame();
        next_frame = now + FRAME;
        if std::mem::take(&mut is_changed) {
            state.catch_up();
            drawn.draw(|frame| view::draw(frame, state))?;
        }
    }
}

/// Takes the keys that are pressed within a time; whether there was any, or another event of the terminal.
fn read_keys(wait: Duration, state: &mut State, controls: &Controls) -> io::Result<bool> {
    if !event::poll(wait)? {
        return Ok(false);
    }
    for _ in 0..KEYS_MAX {
        if let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
        {
            state.level_asked = (controls.level_asked)();
            let level = state.level();
            match state.keys.on_key(key, level) {
                Some(Wish::Interrupt) => (controls.interrupt)(),
                Some(Wish::Change(level)) => {
                    (controls.change)(level);
                    state.say_change(level);
                }
                Some(Wish::Say(text)) => state.say(text),
                None => {}
            }
        }
        if !event::poll(Duration::ZERO)? {
            break;
        }
    }
    Ok(true)
}

fn area((columns, lines): (u16, u16)) -> Rect {
    Rect::new(0, 0, columns, lines)
}

/// Collects the bytes of a frame and writes them at once, so that no half frame is seen.
#[derive(Default)]
struct Frames(Vec<u8>);

impl Write for Frames {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let is_taken = terminal::write(&self.0)?;
        self.0.clear();
        match is_taken {
            true => Ok(()),
            // The end of the process has given it back.
            false => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

//! Ctrl-C, SIGHUP or SIGQUIT once: drain and report. Twice, or SIGTERM: stop now and report. A signal after that, or while
//! the report is written: end at once. The control plane's only listener.

use std::future::pending;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};

use crate::engine::{Control, Order};
use crate::io::process;

use super::exit::Exit;

/// Which messages a signal prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// The order that the signal gives.
    Orders,
    /// Nothing: the command ends at once anyway.
    Nothing,
}

/// How long a report may still take after a signal: one that is nearly written is not thrown away, and a reader or a
/// disk that takes nothing holds nobody up.
const REPORT_GRACE: Duration = Duration::from_millis(200);

/// Listens until the process ends: a signal must never be lost on a process that is stuck in a write. A clone is the
/// same listener.
#[derive(Clone)]
pub struct Signals {
    interrupted: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
    /// Runs follow the present one: their series reports what was measured when a signal comes.
    is_series: Arc<AtomicBool>,
    /// Exit code of a process that a signal ends after its run.
    code_after: Arc<AtomicU8>,
    /// Where orders go: the run that is under way, or was the last one.
    control: Arc<Mutex<Arc<Control>>>,
}

impl Signals {
    /// Starts to listen; orders go to `control`.
    ///
    /// # Errors
    /// When the machine gives no thread or no descriptor for it.
    pub fn listen(control: Arc<Control>, announce: Announce) -> io::Result<Self> {
        let signals = Self {
            interrupted: Arc::new(AtomicBool::new(false)),
            is_over: Arc::new(AtomicBool::new(false)),
            is_series: Arc::new(AtomicBool::new(false)),
            code_after: Arc::new(AtomicU8::new(Exit::INTERRUPTED.0)),
            control: Arc::new(Mutex::new(control)),
        };
        let listener = signals.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let inside = runtime.enter();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut quit = signal(SignalKind::quit())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut continued = signal(SignalKind::from_raw(Signal::SIGCONT as i32))?;
        // `nohup opsurge run` is to survive its terminal.
        let mut hangup = match process::ignores(Signal::SIGHUP) {
            true => None,
            false => Some(signal(SignalKind::hangup())?),
        };
        drop(inside);
        let body = move || {
            runtime.block_on(async move {
                let mut stops = false;
                loop {
                    let wish = tokio::select! {
                        _ = continued.recv() => {
                            super::output::on_continued();
                            continue;
                        }
                        _ = interrupt.recv() => Order::Drain,
                        _ = quit.recv() => Order::Drain,
                        _ = hung_up(&mut hangup) => Order::Drain,
                        _ = terminate.recv() => Order::StopNow,
                    };
                    if listener.is_over.load(Ordering::Relaxed) {
                        tokio::time::sleep(REPORT_GRACE).await;
                        super::output::before_exit();
                        process::exit_now(listener.code_after.load(Ordering::Relaxed));
                    }
                    if stops {
                        super::output::before_exit();
                        process::exit_now(Exit::INTERRUPTED.0);
                    }
                    let order = listener.give(wish);
                    stops = order == Order::StopNow;
                    if announce == Announce::Orders {
                        say(order);
                    }
                }
            });
        };
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(body)?;
        Ok(signals)
    }

    /// Whether a signal has come.
    pub fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// There is nothing left to be stopped: from now on a signal ends the process. Within a series it is not so: a signal
    /// between two runs ends the series.
    pub fn on_run_over(&self) {
        if !self.is_series.load(Ordering::Relaxed) {
            self.is_over.store(true, Ordering::Relaxed);
        }
    }

    /// The report is written, and the process only serves it: a signal ends it with the code of the run.
    pub fn on_reported(&self, code: u8) {
        self.code_after.store(code, Ordering::Relaxed);
    }

    /// Further runs follow.
    pub fn begin_series(&self) {
        self.is_series.store(true, Ordering::Relaxed);
    }

    /// No further run follows, and the last one is over.
    pub fn end_series(&self) {
        self.is_series.store(false, Ordering::Relaxed);
        self.on_run_over();
    }

    /// Orders go to another run from now on. A signal that has come already is an order to that one too.
    pub fn turn_to(&self, next: Arc<Control>) {
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        if self.interrupted() {
            next.give(control.order());
        }
        *control = next;
    }

    /// The same for what is done after a run: it is carried out although a signal has ended that.
    pub fn turn_anew(&self, next: Arc<Control>) {
        *self.control.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }

    /// Orders what a signal asks for; a second signal asks for more. Returns the order in force.
    fn give(&self, wish: Order) -> Order {
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        let order = match control.order() {
            Order::Run if !self.interrupted() => wish,
            Order::Run | Order::Drain | Order::StopNow => Order::StopNow,
        };
        self.interrupted.store(true, Ordering::Relaxed);
        control.give(order);
        order
    }
}

async fn hung_up(hangup: &mut Option<tokio::signal::unix::Signal>) {
    match hangup {
        Some(hangup) => {
            hangup.recv().await;
        }
        None => pending().await,
    }
}

/// On a thread of its own: a write to a full pipe blocks, and the next signal must still be handled.
fn say(order: Order) {
    let text = match order {
        Order::StopNow => {
            "\nstopping now; the report covers what was measured (another signal ends at once, without a report)"
        }
        Order::Run | Order::Drain => {
            "\ninterrupted: waiting for what is under way (Ctrl-C again stops now)"
        }
    };
    // Without a thread it is not said; the order is given all the same.
    let _ = std::thread::Builder::new().spawn(move || super::output::note(text));
}

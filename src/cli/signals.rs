//! Ctrl-C once: drain and report. Twice, or SIGTERM: stop now and report. The control plane's only listener.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::engine::{Control, Order};

/// What the user is told when a signal comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// What happens now.
    Orders,
    /// Nothing: the command ends at once anyway.
    Nothing,
}

/// Listens until it is dropped.
pub struct Signals {
    interrupted: Arc<AtomicBool>,
    enough: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Signals {
    /// Starts to listen; orders go to `control`.
    ///
    /// # Errors
    /// When the machine gives no thread or no descriptor for it.
    pub fn listen(control: Arc<Control>, announce: Announce) -> io::Result<Self> {
        let interrupted = Arc::new(AtomicBool::new(false));
        let seen = interrupted.clone();
        let (enough, stop) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
            )
        };
        let body = move || {
            runtime.block_on(async move {
                tokio::pin!(stop);
                loop {
                    let order = tokio::select! {
                        _ = &mut stop => return,
                        _ = interrupt.recv() => match control.order() {
                            Order::Run => Order::Drain,
                            Order::Drain | Order::StopNow => Order::StopNow,
                        },
                        _ = terminate.recv() => Order::StopNow,
                    };
                    seen.store(true, Ordering::Relaxed);
                    control.give(order);
                    if announce == Announce::Orders {
                        super::note(announcement(order));
                    }
                }
            });
        };
        let thread = std::thread::Builder::new()
            .name("signals".into())
            .spawn(body)?;
        Ok(Self {
            interrupted,
            enough: Some(enough),
            thread: Some(thread),
        })
    }

    /// Whether a signal has come.
    pub fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

fn announcement(order: Order) -> &'static str {
    match order {
        Order::StopNow => "\nstopping now; the report covers what was measured",
        Order::Run | Order::Drain => {
            "\ninterrupted: waiting for what is under way (Ctrl-C again stops now)"
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        drop(self.enough.take());
        if let Some(thread) = self.thread.take() {
            // Nothing to add to a report that is complete by now.
            let _ = thread.join();
        }
    }
}

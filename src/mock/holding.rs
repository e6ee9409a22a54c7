//! One thread's part in holding answers back: its alarm, its connections, and the times when nobody listens.

use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use socket2::Socket;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::BACKLOG;
use super::alarm::Alarm;
use super::held;
use super::held::Holds;
use super::ops_core::OpsCore;
use super::server::log_end;

/// Between two looks whether connections are refused no more.
const ACCEPT_PAUSE: Duration = Duration::from_millis(1);

/// What a thread needs to hold answers back.
#[derive(Clone)]
pub(super) struct Holding {
    holds: Arc<Holds>,
    alarm: Rc<Alarm>,
}

impl Holding {
    pub fn start(holds: Arc<Holds>) -> io::Result<Self> {
        let alarm = Rc::new(Alarm::new()?);
        let ringing = alarm.clone();
        tokio::task::spawn_local(async move {
            if let Err(error) = ringing.ring().await {
                tracing::error!("the stand-in's timer ended: {error}");
            }
        });
        Ok(Self { holds, alarm })
    }

    /// Stops listening and starts again, for ever, when that was asked for and no other thread does it.
    pub fn see_to_refusals(&self, listener: &impl AsFd, service: &Rc<OpsCore>) -> io::Result<()> {
        let Some(faults) = &self.holds.faults else {
            return Ok(());
        };
        let Some(refuse) = faults.refusals() else {
            return Ok(());
        };
        let socket = Socket::from(listener.as_fd().try_clone_to_owned()?);
        let (alarm, service, holds) = (self.alarm.clone(), service.clone(), self.holds.clone());
        let start = faults.start;
        tokio::task::spawn_local(async move {
            loop {
                let (begin, end) = refuse.at_or_after(start, Instant::now());
                alarm.wait_until(begin).await;
                service.counters.on_refusing();
                holds.is_refusing.store(true, Ordering::Relaxed);
                let refused = socket.shutdown(Shutdown::Both);
                alarm.wait_until(end).await;
                if let Err(error) = refused.and_then(|()| socket.listen(BACKLOG)) {
                    tracing::error!("the stand-in cannot refuse connections: {error}");
                    return;
                }
                holds.is_refusing.store(false, Ordering::Relaxed);
            }
        });
        Ok(())
    }

    pub async fn wait_until_listening(&self) {
        loop {
            self.alarm.wait_until(Instant::now() + ACCEPT_PAUSE).await;
            if !self.holds.is_refusing.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    pub async fn serve(
        self,
        mut stream: TcpStream,
        service: Rc<OpsCore>,
        mut stop: watch::Receiver<bool>,
    ) {
        service.counters.on_connection();
        let result = tokio::select! {
            result = held::converse(&mut stream, &service, &self.holds, &self.alarm) => result,
            _ = stop.wait_for(|stopped| *stopped) => Ok(()),
        };
        log_end(result);
    }
}

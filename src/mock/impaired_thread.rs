//! A thread of an impaired stand-in: its alarm, its connections, and the times when connections are refused.

use std::cell::Cell;
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

use super::alarm::Alarm;
use super::connection::log_end;
use super::impaired_connection::converse;
use super::impairments::Impairments;
use super::listener::BACKLOG;
use super::ops_core::OpsCore;

/// Pause between two checks whether the stand-in listens again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(1);

/// What a thread needs to impair its connections.
#[derive(Clone)]
pub(super) struct ImpairedThread {
    impairments: Arc<Impairments>,
    alarm: Rc<Alarm>,
}

impl ImpairedThread {
    /// Starts the alarm of this thread.
    pub fn start(impairments: Arc<Impairments>) -> io::Result<Self> {
        let alarm = Rc::new(Alarm::new()?);
        let ringing = alarm.clone();
        tokio::task::spawn_local(async move {
            if let Err(error) = ringing.ring().await {
                tracing::error!("the stand-in's timer ended: {error}");
            }
        });
        Ok(Self { impairments, alarm })
    }

    /// Stops listening and starts again, periodically, if the faults say so and no other thread does it.
    pub fn start_refusals(&self, listener: &impl AsFd, service: &Rc<OpsCore>) -> io::Result<()> {
        let Some(faults) = &self.impairments.faults else {
            return Ok(());
        };
        let Some(refuse) = faults.take_refusals() else {
            return Ok(());
        };
        let socket = Socket::from(listener.as_fd().try_clone_to_owned()?);
        let (alarm, service) = (self.alarm.clone(), service.clone());
        let impairments = self.impairments.clone();
        let start = faults.start;
        tokio::task::spawn_local(async move {
            loop {
                let (begin, end) = refuse.at_or_after(start, Instant::now());
                alarm.wait_until(begin).await;
                service.counters.on_refusing();
                impairments.is_refusing.store(true, Ordering::Relaxed);
                let refused = socket.shutdown(Shutdown::Both);
                alarm.wait_until(end).await;
                if let Err(error) = refused.and_then(|()| socket.listen(BACKLOG)) {
                    tracing::error!("the stand-in cannot refuse connections: {error}");
                    return;
                }
                impairments.is_refusing.store(false, Ordering::Relaxed);
            }
        });
        Ok(())
    }

    /// Returns when connections are not refused.
    pub async fn wait_until_listening(&self) {
        loop {
            self.alarm.wait_until(Instant::now() + ACCEPT_PAUSE).await;
            if !self.impairments.is_refusing.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Serves a connection until it ends or the stand-in stops.
    pub async fn serve(
        self,
        mut stream: TcpStream,
        service: Rc<OpsCore>,
        mut stop: watch::Receiver<bool>,
        is_reset: &Cell<bool>,
    ) {
        service.counters.on_connection();
        let result = tokio::select! {
            result = converse(&mut stream, &service, &self.impairments, &self.alarm, is_reset) => result,
            _ = stop.wait_for(|stopped| *stopped) => Ok(()),
        };
        log_end(result);
    }
}

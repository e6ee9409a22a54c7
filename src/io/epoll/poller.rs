//! Readiness events with a deadline in nanoseconds: an epoll descriptor and a timer descriptor.
//!
//! `epoll_wait` counts in milliseconds, so a sleep is ended by the timer, which counts in nanoseconds.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use socket2::Socket;

use crate::io::driver::EVENTS_MAX;

/// The token of the timer's events. They carry no message: they only end a sleep.
pub(super) const TIMER: Token = Token(usize::MAX);

/// An epoll descriptor and its timer.
pub(super) struct Poller {
    poll: Poll,
    events: Events,
    timer: TimerFd,
}

impl Poller {
    /// # Errors
    /// The error of `epoll_create1`, `timerfd_create` or `epoll_ctl`, for example when no descriptor is free.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
        let timer_fd = timer.as_fd().as_raw_fd();
        poll.registry()
            .register(&mut SourceFd(&timer_fd), TIMER, Interest::READABLE)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            timer,
        })
    }

    /// Reports when the socket becomes readable or writable.
    pub fn watch(&self, socket: &Socket, token: usize) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        registry.register(&mut SourceFd(&socket.as_raw_fd()), Token(token), interest)
    }

    /// Reports a watched socket with another token from now on, and only when it is readable. Bytes that are there
    /// already are reported again (epoll_ctl(2), EPOLL_CTL_MOD).
    pub fn watch_reads_only(&self, socket: &Socket, token: usize) -> io::Result<()> {
        let registry = self.poll.registry();
        let fd = socket.as_raw_fd();
        registry.reregister(&mut SourceFd(&fd), Token(token), Interest::READABLE)
    }

    /// Ends the reports of a socket that is about to be closed. Closing it would do so too; this spares a stale event.
    pub fn unwatch(&self, socket: &Socket) {
        let registry = self.poll.registry();
        let _ = registry.deregister(&mut SourceFd(&socket.as_raw_fd()));
    }

    /// Fetches the events that are there.
    pub fn fetch(&mut self) {
        self.poll(Some(Duration::ZERO));
    }

    /// Waits for events, but no longer than `sleep_ns`, and fetches them.
    pub fn sleep(&mut self, sleep_ns: u64) {
        let sleep = TimeSpec::from_duration(Duration::from_nanos(sleep_ns.max(1)));
        self.timer
            .set(Expiration::OneShot(sleep), TimerSetTimeFlags::empty())
            .expect("a relative time in range arms a timer");
        self.poll(None);
    }

    fn poll(&mut self, timeout: Option<Duration>) {
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => self.events.clear(),
            Err(error) => panic!("epoll_wait: {error}"),
        }
    }

    /// Takes the fetched events, to be handled and then returned to [`Poller::put_back`].
    pub fn take(&mut self) -> Events {
        std::mem::replace(&mut self.events, Events::with_capacity(0))
    }

    /// Returns the memory of events.
    pub fn put_back(&mut self, events: Events) {
        self.events = events;
    }
}

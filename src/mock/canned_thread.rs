//! A thread of the canned responder: events in, answers out.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Instant;

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use rustls::ServerConfig;

use super::canned_answer::{CannedAnswer, CannedUse};
use super::canned_stream::CannedStream;
use super::request;

/// The event that announces connections, or the end.
pub(super) const WAKER: Token = Token(usize::MAX);
/// Events taken from the kernel at once.
const EVENTS: usize = 1_024;
/// One read takes all that a pipeline of 64 short requests has sent.
const READ_BYTES: usize = 64 * 1024;
/// The mark of a step's number in a request's path.
const PATH_MARK: &str = "/~";
const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
const BAD: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

pub(super) struct CannedThread {
    poll: Poll,
    answers: Arc<Vec<CannedAnswer>>,
    accepted: Receiver<TcpStream>,
    /// `None` in plain text.
    tls: Option<Arc<ServerConfig>>,
    stop: Arc<AtomicBool>,
    /// By token.
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    scratch: Vec<u8>,
    answered: u64,
}

struct Connection {
    stream: CannedStream,
    /// The beginning of a request whose end has not come.
    input: Vec<u8>,
    /// Bytes that the socket did not take.
    output: Vec<u8>,
    /// It ends when `output` is empty.
    is_ending: bool,
    /// The client of the request in `input` was told to go on.
    was_told: bool,
}

/// What becomes of a connection after an event.
#[derive(PartialEq, Eq)]
enum Next {
    Stays,
    Ends,
}

impl CannedThread {
    pub fn new(
        poll: Poll,
        answers: Arc<Vec<CannedAnswer>>,
        accepted: Receiver<TcpStream>,
        tls: Option<Arc<ServerConfig>>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            poll,
            answers,
            accepted,
            tls,
            stop,
            connections: Vec::new(),
            free: Vec::new(),
            scratch: vec![0; READ_BYTES],
            answered: 0,
        }
    }

    /// The body of the thread, until it is told to stop.
    pub fn serve(mut self) -> CannedUse {
        let mut events = Events::with_capacity(EVENTS);
        let mut times: Option<(Instant, u64, Instant)> = None;
        while !self.stop.load(Ordering::Relaxed) {
            match self.poll.poll(&mut events, None) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!("the canned responder cannot wait for events: {error}");
                    break;
                }
            }
            for event in &events {
                match event.token() {
                    WAKER => self.take_accepted(),
                    _ => self.on_event(event),
                }
            }
            let now = Instant::now();
            let (from, before_ns) = times.map_or((now, cpu_ns()), |(from, ns, _)| (from, ns));
            times = Some((from, before_ns, now));
        }
        let busy = times.map_or(0.0, |(from, before_ns, to)| {
            let wall_ns = (to - from).as_nanos().max(1) as f64;
            cpu_ns().saturating_sub(before_ns) as f64 / wall_ns
        });
        CannedUse {
            answers: self.answered,
            busy: busy.min(1.0),
        }
    }

    fn take_accepted(&mut self) {
        while let Ok(socket) = self.accepted.try_recv() {
            let at = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let both = Interest::READABLE | Interest::WRITABLE;
            let registry = self.poll.registry();
            let made = CannedStream::new(socket, self.tls.as_ref());
            let watched = made.and_then(|stream| {
                let descriptor = stream.socket().as_raw_fd();
                registry.register(&mut SourceFd(&descriptor), Token(at), both)?;
                Ok(stream)
            });
            match watched {
                Ok(stream) => self.connections[at] = Some(Connection::new(stream)),
                // The client sees a closed connection.
                Err(_) => self.free.push(at),
            }
        }
    }

    fn on_event(&mut self, event: &Event) {
        let Token(at) = event.token();
        // An event of a connection that ended in this turn has no connection any more.
        let Some(connection) = self.connections.get_mut(at).and_then(Option::as_mut) else {
            return;
        };
        let mut served = Ok(Next::Stays);
        if event.is_writable() && connection.has_unsent() {
            served = connection.flush();
        }
        if event.is_readable() && matches!(served, Ok(Next::Stays)) {
            served = connection.on_readable(&self.answers, &mut self.scratch, &mut self.answered);
        }
        if !matches!(served, Ok(Next::Stays)) {
            // Closing the descriptor takes it out of epoll.
            self.connections[at] = None;
            self.free.push(at);
        }
    }
}

impl Connection {
    fn new(stream: CannedStream) -> Self {
        Self {
            stream,
            input: Vec::new(),
            output: Vec::new(),
            is_ending: false,
            was_told: false,
        }
    }

    /// Reads until the socket is empty, and answers what is complete.
    fn on_readable(
        &mut self,
        answers: &[CannedAnswer],
        scratch: &mut [u8],
        answered: &mut u64,
    ) -> io::Result<Next> {
        loop {
            let count = match self.stream.read(scratch) {
                Ok(0) => return Ok(Next::Ends),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Next::Stays),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let next = match self.input.is_empty() {
                true => self.answer(&scratch[..count], answers, answered)?,
                false => {
                    let mut input = std::mem::take(&mut self.input);
                    input.extend_from_slice(&scratch[..count]);
                    self.answer(&input, answers, answered)?
                }
            };
            if next == Next::Ends || self.stream.is_empty_after(count, scratch.len()) {
                return Ok(next);
            }
        }
    }

    /// Answers the requests at the start of `bytes`, and keeps what is left.
    fn answer(
        &mut self,
        bytes: &[u8],
        answers: &[CannedAnswer],
        answered: &mut u64,
    ) -> io::Result<Next> {
        let mut at = 0;
        let mut out = std::mem::take(&mut self.output);
        let was_held_up = !out.is_empty();
        while at < bytes.len() && !self.is_ending {
            match request::read(&bytes[at..]) {
                request::Read::Whole(request, length) => {
                    let found = number(request.path).and_then(|number| answers.get(number));
                    let end = match request.method {
                        "HEAD" => found.map_or(0, |answer| answer.head_bytes),
                        _ => found.map_or(0, |answer| answer.bytes.len()),
                    };
                    out.extend_from_slice(found.map_or(NOT_FOUND, |answer| &answer.bytes[..end]));
                    self.is_ending =
                        !request.keep_alive || found.is_some_and(|answer| answer.closes);
                    self.was_told = false;
                    *answered += 1;
                    at += length;
                }
                request::Read::Partial { expects_continue } => {
                    if expects_continue && !self.was_told {
                        self.was_told = true;
                        out.extend_from_slice(CONTINUE);
                    }
                    break;
                }
                request::Read::Bad(_) => {
                    out.extend_from_slice(BAD);
                    self.is_ending = true;
                }
            }
        }
        self.input.clear();
        self.input.extend_from_slice(&bytes[at..]);
        self.output = out;
        match was_held_up {
            true => Ok(Next::Stays),
            false => self.flush(),
        }
    }

    /// Bytes wait for the socket to take them.
    fn has_unsent(&self) -> bool {
        !self.output.is_empty() || self.stream.has_unsent()
    }

    /// Writes what the socket takes; the memory stays.
    fn flush(&mut self) -> io::Result<Next> {
        let mut at = 0;
        while at < self.output.len() {
            match self.stream.write(&self.output[at..]) {
                Ok(count) => at += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.output.drain(..at);
        self.stream.flush()?;
        if self.is_ending && !self.has_unsent() {
            self.stream.end()?;
            return Ok(Next::Ends);
        }
        Ok(Next::Stays)
    }
}

/// `/~3/jobs` -> 3.
fn number(path: &str) -> Option<usize> {
    let rest = path.strip_prefix(PATH_MARK)?;
    let end = rest.find(|c: char| !c.is_ascii_digit());
    rest[..end.unwrap_or(rest.len())].parse().ok()
}

/// CPU time of the calling thread.
fn cpu_ns() -> u64 {
    getrusage(UsageWho::RUSAGE_THREAD).map_or(0, |usage| {
        let sum = usage.user_time() + usage.system_time();
        sum.num_nanoseconds().max(0) as u64
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_an_answer_stands_at_the_start_of_the_path() {
        assert_eq!(number("/~3/jobs"), Some(3));
        assert_eq!(number("/~12"), Some(12));
        assert_eq!(number("/~0?page=1"), Some(0));
        assert_eq!(number("/jobs"), None);
        assert_eq!(number("/~/jobs"), None);
    }
}

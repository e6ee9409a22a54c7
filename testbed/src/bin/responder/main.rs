//! A canned responder: a server that does the least possible, so that `scripts/bench.sh` measures the clients.
//!
//!     taskset -c 1 responder --listen 127.0.0.1:0 [--answer-bytes 65536] [--tls ROOT_FILE [--no-tickets]] [-t SECONDS]
//!
//! One thread, one ring: connections are accepted into the ring's own descriptor table, received by multishot from
//! provided buffers, and answered from bytes made at the start. Scenario 2 of Ops-Core gets every answer that it expects;
//! any other request gets `{"status":"ok"}` or a body of `--answer-bytes`; `GET /answered` returns the number of answers.
//! With `--tls` it listens on a second port for the same requests over TLS 1.2 and 1.3, with a P-256 certificate of its own.
//! It leaves out everything that measuring clients does not need: checking requests, limits, time limits,
//! `Connection: close`, chunked bodies, HEAD.
#![allow(
    unsafe_code,
    reason = "entries of a ring name memory and descriptors by hand"
)]

mod answers;
mod encryption;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use io_uring::types::{Fd, Fixed};
use io_uring::{IoUring, SubmissionQueue, Submitter, cqueue, opcode, squeue};
use opsurge::machine::cpu::raise_descriptor_limit;
use rustls::ServerConfig;
use socket2::{Domain, Socket, Type};

use answers::{Answers, with_head};
use encryption::EncryptedConnection;
use opsurge_testbed::requests::{Finder, Kind, Partial};
use opsurge_testbed::ring::Buffers;

const CONNECTIONS_MAX: u32 = 32_768;
const SUBMISSIONS_MAX: u32 = 4096;
const COMPLETIONS_MAX: u32 = 65_536;
const BACKLOG: i32 = 16_384;
const BUFFERS: u16 = 1024;
const BUFFER_BYTES: usize = 8192;
const BUFFER_GROUP: u16 = 0;
/// Number of the listener for TLS.
const TLS_LISTENER: u32 = 1;

#[derive(Parser)]
struct Args {
    /// Address to listen on. Port 0 takes a free one. The URL is printed.
    #[arg(long)]
    listen: SocketAddr,
    /// Length of the body for requests that are not Ops-Core's.
    #[arg(long)]
    answer_bytes: Option<usize>,
    /// Listens for TLS as well, on a port of its own; the certificate to be trusted is written to this file.
    #[arg(long)]
    tls: Option<PathBuf>,
    /// Resumes no session: every handshake is a full one.
    #[arg(long, requires = "tls")]
    no_tickets: bool,
    /// Seconds until it ends by itself.
    #[arg(short = 't', default_value_t = 3600)]
    seconds: u64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    end_on_interrupt();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(args.seconds));
        std::process::exit(0);
    });
    // The kernel refuses a table of accepted connections that is longer than the limit of descriptors.
    let limit = raise_descriptor_limit(u64::from(CONNECTIONS_MAX))?;
    let connections_max = limit.min(u64::from(CONNECTIONS_MAX)) as u32;
    let listener = listen(args.listen)?;
    let encryption = match &args.tls {
        None => None,
        Some(file) => Some((
            listen(SocketAddr::new(args.listen.ip(), 0))?,
            encryption::config(!args.no_tickets, file)?,
        )),
    };
    // This one first: who waits for the other then finds both.
    if let Some((listener, _)) = &encryption {
        println!("https://{}", listener.local_addr()?);
    }
    println!("http://{}", listener.local_addr()?);
    io::stdout().flush()?;
    let answers = Answers::new(args.answer_bytes);
    serve(&listener, encryption.as_ref(), connections_max, &answers)
}

/// Restores the default action of SIGINT: shells start background jobs with SIGINT ignored, and programs inherit that.
fn end_on_interrupt() {
    // SAFETY: the default action, no handler of ours.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    // Accepted connections inherit it.
    socket.set_tcp_nodelay(true)?;
    socket
        .bind(&address.into())
        .with_context(|| format!("cannot listen on {address}"))?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn serve(
    listener: &TcpListener,
    encryption: Option<&(TcpListener, Arc<ServerConfig>)>,
    connections_max: u32,
    answers: &Answers,
) -> Result<()> {
    let mut ring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_submit_all()
        .setup_clamp()
        .setup_cqsize(COMPLETIONS_MAX)
        .build(SUBMISSIONS_MAX)
        .context("io_uring with DEFER_TASKRUN is not available (it needs Linux 6.1)")?;
    let (mut submitter, queue, mut completions) = ring.split();
    submitter.register_ring_fd()?;
    submitter.register_files_sparse(connections_max)?;
    let buffers = Buffers::new(&submitter, BUFFER_GROUP, BUFFERS, BUFFER_BYTES)?;
    let mut server = Server {
        listeners: [
            Some(Fd(listener.as_raw_fd())),
            encryption.map(|(listener, _)| Fd(listener.as_raw_fd())),
        ],
        encryption: encryption.map(|(_, config)| config),
        answers,
        submitter,
        queue,
        buffers,
        finder: Finder::default(),
        connections: Vec::new(),
        answered: 0,
    };
    server
        .connections
        .resize_with(connections_max as usize, Connection::default);
    (0..server.listeners.len() as u32).for_each(|listener| server.accept(listener));
    loop {
        server.buffers.commit();
        server.submit(1);
        completions.sync();
        for completion in &mut completions {
            server.on_completion(&completion);
        }
    }
}

struct Server<'a> {
    /// For plain text and for TLS.
    listeners: [Option<Fd>; 2],
    encryption: Option<&'a Arc<ServerConfig>>,
    answers: &'a Answers,
    submitter: Submitter<'a>,
    queue: SubmissionQueue<'a>,
    buffers: Buffers,
    finder: Finder,
    /// By index in the ring's descriptor table.
    connections: Vec<Connection>,
    answered: u64,
}

#[derive(Default)]
struct Connection {
    /// Number of the connection at this index, modulo 2^16: a completion of an earlier one is recognised by it.
    generation: u16,
    is_sending: bool,
    partial: Partial,
    /// Answers that wait for the one being sent, with their numbers: the ring may carry out two sends of a connection in
    /// either order.
    owed: VecDeque<(Kind, usize)>,
    /// `None` in plain text.
    encrypted: Option<Box<EncryptedConnection>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Operation {
    Accept,
    Receive,
    Send,
    Close,
}

impl<'a> Server<'a> {
    fn on_completion(&mut self, completion: &cqueue::Entry) {
        let token = completion.user_data();
        let slot = token as u32;
        let is_current = self
            .connections
            .get(slot as usize)
            .is_some_and(|c| c.generation == (token >> 32) as u16);
        match token >> 48 {
            t if t == Operation::Accept as u64 => self.on_accepted(slot, completion),
            t if t == Operation::Receive as u64 => self.on_received(slot, is_current, completion),
            t if t == Operation::Send as u64 && is_current => self.on_sent(slot, completion),
            _ => {}
        }
    }

    fn on_accepted(&mut self, listener: u32, completion: &cqueue::Entry) {
        if completion.result() >= 0 {
            let slot = completion.result() as u32;
            let connection = &mut self.connections[slot as usize];
            let is_encrypted = listener == TLS_LISTENER;
            let config = self.encryption.filter(|_| is_encrypted);
            if connection.is_sending {
                // The kernel may still read from the last records of the connection that was here before.
                std::mem::forget(connection.encrypted.take());
            }
            *connection = Connection {
                generation: connection.generation.wrapping_add(1),
                encrypted: config.map(EncryptedConnection::new),
                ..Connection::default()
            };
            self.receive(slot);
        }
        if !cqueue::more(completion.flags()) {
            self.accept(listener);
        }
    }

    fn on_received(&mut self, slot: u32, is_current: bool, completion: &cqueue::Entry) {
        let buffer = cqueue::buffer_select(completion.flags());
        let bytes = completion.result();
        if let (Some(id), true, true) = (buffer, is_current, bytes > 0) {
            let connection = &mut self.connections[slot as usize];
            let received = self.buffers.received_mut(id, bytes as usize);
            let mut owe = |kind| match connection.owed.back_mut() {
                Some((last, count)) if *last == kind => *count += 1,
                _ => connection.owed.push_back((kind, 1)),
            };
            let partial = &mut connection.partial;
            let is_fit = match &mut connection.encrypted {
                None => {
                    self.finder.find(partial, received, &mut owe);
                    true
                }
                Some(encrypted) => encrypted.receive(received, |text| {
                    self.finder.find(partial, text, &mut owe);
                }),
            };
            match is_fit {
                true => self.send_owed(slot),
                false => self.shut_down(slot),
            }
        }
        if let Some(id) = buffer {
            self.buffers.give_back(id);
        }
        if cqueue::more(completion.flags()) || !is_current {
            return;
        }
        // With ENOBUFS all buffers are in use, and come back in this turn. Any other end is the connection's.
        match bytes {
            1.. => self.receive(slot),
            _ if bytes == -libc::ENOBUFS => self.receive(slot),
            _ => self.close(slot),
        }
    }

    fn on_sent(&mut self, slot: u32, completion: &cqueue::Entry) {
        // After a failed send, the receive fails as well and closes the connection.
        if completion.result() >= 0 {
            self.connections[slot as usize].is_sending = false;
            self.send_owed(slot);
        }
    }

    fn send_owed(&mut self, slot: u32) {
        if self.connections[slot as usize].is_sending {
            return;
        }
        let text = self.next_owed(slot);
        let connection = &mut self.connections[slot as usize];
        let bytes = match &mut connection.encrypted {
            None => text,
            Some(encrypted) => {
                encrypted.encrypt(text);
                encrypted.next_records()
            }
        };
        if bytes.is_empty() {
            return;
        }
        connection.is_sending = true;
        // WAITALL: the kernel itself goes on after a short send.
        let entry = opcode::Send::new(Fixed(slot), bytes.as_ptr(), bytes.len() as u32)
            .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
            .build();
        self.push(Operation::Send, slot, entry);
    }

    /// The answers that are owed next; empty when none is.
    fn next_owed(&mut self, slot: u32) -> &'a [u8] {
        let connection = &mut self.connections[slot as usize];
        let Some((kind, count)) = connection.owed.front_mut() else {
            return &[];
        };
        let (bytes, sent) = match kind {
            Kind::Count => {
                // Asked a few times in a run: leaking some hundred bytes each time lets all sends be alike.
                let body = self.answered.to_string();
                (&*with_head("200 OK", &body).leak(), 1)
            }
            kind => {
                let answer = self.answers.to(*kind);
                let sent = answer.repeats.min(*count);
                self.answered += sent as u64;
                (&answer.repeated[..sent * answer.answer_bytes], sent)
            }
        };
        *count -= sent;
        if *count == 0 {
            connection.owed.pop_front();
        }
        bytes
    }

    fn accept(&mut self, listener: u32) {
        if let Some(descriptor) = self.listeners[listener as usize] {
            let entry = opcode::AcceptMulti::new(descriptor).allocate_file_index(true);
            self.push(Operation::Accept, listener, entry.build());
        }
    }

    fn receive(&mut self, slot: u32) {
        let entry = opcode::RecvMulti::new(Fixed(slot), BUFFER_GROUP);
        self.push(Operation::Receive, slot, entry.build());
    }

    fn close(&mut self, slot: u32) {
        self.push(
            Operation::Close,
            slot,
            opcode::Close::new(Fixed(slot)).build(),
        );
    }

    /// Ends a connection both ways: the receive reports its end, and closes it.
    fn shut_down(&mut self, slot: u32) {
        let entry = opcode::Shutdown::new(Fixed(slot), libc::SHUT_RDWR);
        self.push(Operation::Close, slot, entry.build());
    }

    fn push(&mut self, operation: Operation, slot: u32, entry: squeue::Entry) {
        let generation = self.connections[slot as usize].generation;
        let token = (operation as u64) << 48 | u64::from(generation) << 32 | u64::from(slot);
        let entry = entry.user_data(token);
        // SAFETY: what is sent lives as long as the process (the answers are borrowed by `serve`, which never returns,
        // or leaked), and so does what is received into; descriptors are the ring's own. Records stay as they are until
        // their send is done; those of a connection that ends before are leaked.
        while unsafe { self.queue.push(&entry) }.is_err() {
            self.submit(0);
        }
    }

    fn submit(&mut self, want: usize) {
        self.queue.sync();
        match self.submitter.submit_and_wait(want) {
            Ok(_) => {}
            // A signal, a full completion queue, too little memory: the rest is submitted with the next call.
            Err(e)
                if matches!(
                    e.raw_os_error(),
                    Some(libc::EINTR | libc::EBUSY | libc::EAGAIN)
                ) => {}
            Err(error) => panic!("io_uring_enter: {error}"),
        }
        self.queue.sync();
    }
}

//! The floor: the cost per request of the kernel alone, with the least possible code around it.
//!
//!     taskset -c 0 floor --addr 127.0.0.1:8000 --request request.raw --connections 64 --seconds 4
//!
//! One ring (single issuer, deferred task work), multishot receive from provided buffers. Every connection sends the same
//! bytes and waits for its answer; answers are counted by their bytes, after a first request has shown the length of one.
//! With `--tls` each connection has rustls's unbuffered API over the same loop: answers are decrypted in the received
//! buffer, requests encrypted into the buffer that is sent, and nothing else is done.
//! It leaves out parsing, checking, clocks per request, recording, identities, time limits and reconnects: the difference
//! to `opsurge run` is the price of those. Each switch changes one thing, to measure it by itself.
#![allow(
    unsafe_code,
    reason = "entries of a ring name memory and descriptors by hand"
)]

use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use io_uring::types::{Fd, Fixed, SubmitArgs, Timespec};
use io_uring::{IoUring, SubmissionQueue, Submitter, cqueue, opcode, squeue};

use opsurge_testbed::bare_client::{EncryptedClient, Task, Window};
use opsurge_testbed::encrypted::RECORD_OVERHEAD_MAX;
use opsurge_testbed::ring::Buffers;

const SUBMISSIONS_MAX: u32 = 4096;
const COMPLETIONS_MAX: u32 = 65_536;
const BUFFER_GROUP: u16 = 0;
/// A token is the number of a connection, with this bit for a send.
const SEND: u64 = 1 << 32;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    task: Task,
    /// Encrypts with rustls; any certificate is accepted.
    #[arg(long, conflicts_with = "pipeline")]
    tls: bool,
    /// Registers the sockets with the ring: saves a look-up and a reference per operation.
    #[arg(long)]
    fixed_files: bool,
    /// Registers the ring's own descriptor: saves the same per system call.
    #[arg(long)]
    registered_ring_fd: bool,
    /// No completion for a successful send: half as many completions.
    #[arg(long)]
    skip_send_success: bool,
    /// Number of receive buffers, a power of two.
    #[arg(long, default_value_t = 1024)]
    buffers: u16,
    /// Size of each in bytes.
    #[arg(long, default_value_t = 4096)]
    buffer_bytes: usize,
    /// Backs them with pages of 2 MiB.
    #[arg(long)]
    huge_pages: bool,
    /// Most completions that a turn handles.
    #[arg(long, default_value_t = 256)]
    batch: usize,
    /// Completions to wait for. Since Linux 6.13 an enter runs no more than 20 deferred completions, or this many.
    #[arg(long, default_value_t = 1)]
    want: usize,
    /// Waits this long for `--want` completions, then takes those that came (Linux 6.12). 0 waits for all of them.
    #[arg(long, default_value_t = 0)]
    min_wait_us: u32,
    /// Requests under way on each connection. Requests whose answers came together are sent together.
    #[arg(long, default_value_t = 1)]
    pipeline: usize,
    /// Without DEFER_TASKRUN.
    #[arg(long)]
    no_defer: bool,
    /// One receive per answer instead of multishot.
    #[arg(long)]
    one_shot: bool,
    /// As `opsurge run`: one enter submits, a second one sleeps if nothing had completed.
    #[arg(long)]
    two_enters: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    ensure!(
        args.want <= 1 || args.min_wait_us > 0 || args.want <= args.task.connections,
        "--want must not be above --connections: it would wait for ever"
    );
    let begun = args.task.begin(args.tls)?;
    let mut builder = IoUring::builder();
    builder
        .setup_single_issuer()
        .setup_submit_all()
        .setup_clamp()
        .setup_cqsize(COMPLETIONS_MAX);
    if args.no_defer {
        builder.setup_coop_taskrun();
    } else {
        builder.setup_defer_taskrun();
    }
    let mut ring = builder
        .build(SUBMISSIONS_MAX)
        .context("this needs io_uring of Linux 6.1")?;
    let (mut submitter, queue, completions) = ring.split();
    if args.registered_ring_fd {
        submitter.register_ring_fd()?;
    }
    if args.fixed_files {
        let descriptors: Vec<_> = begun.sockets.iter().map(AsRawFd::as_raw_fd).collect();
        submitter.register_files(&descriptors)?;
    }
    let buffers = Buffers::new(&submitter, BUFFER_GROUP, args.buffers, args.buffer_bytes)?;
    if args.huge_pages {
        buffers
            .ask_for_huge_pages()
            .context("transparent huge pages are not available")?;
    }
    ensure!(
        !args.tls || begun.request.len() <= 16_384,
        "with --tls the request has to fit one record"
    );
    let floor = Floor {
        args: &args,
        requests: &begun.request.repeat(args.pipeline),
        request_bytes: begun.request.len(),
        sockets: &begun.sockets,
        submitter,
        queue,
        buffers,
        received: vec![0; begun.sockets.len()],
        answer_bytes: begun.answer_bytes,
        sealed: begun
            .encrypted
            .iter()
            .map(|_| vec![0; begun.request.len() + RECORD_OVERHEAD_MAX])
            .collect(),
        encrypted: begun.encrypted,
    };
    floor.run(completions)
}

struct Floor<'a> {
    args: &'a Args,
    /// The request, repeated as often as `--pipeline` says.
    requests: &'a [u8],
    request_bytes: usize,
    sockets: &'a [TcpStream],
    submitter: Submitter<'a>,
    queue: SubmissionQueue<'a>,
    buffers: Buffers,
    /// Bytes of each connection's incomplete answer.
    received: Vec<usize>,
    answer_bytes: usize,
    /// Empty in plain text.
    encrypted: Vec<EncryptedClient>,
    /// The record that each connection sends.
    sealed: Vec<Vec<u8>>,
}

impl Floor<'_> {
    fn run(mut self, mut completions: io_uring::CompletionQueue<'_>) -> Result<()> {
        let window = Window::begin()?;
        let until = Instant::now() + Duration::from_secs_f64(self.args.task.seconds);
        for connection in 0..self.sockets.len() as u64 {
            self.receive(connection)?;
            self.send(connection, self.args.pipeline)?;
        }
        let (mut requests, mut turns) = (0u64, 0u64);
        let mut batch = Vec::with_capacity(self.args.batch);
        while Instant::now() < until {
            self.buffers.commit();
            if self.args.two_enters {
                self.enter(0)?;
                completions.sync();
            }
            if !self.args.two_enters || completions.is_empty() {
                self.enter(self.args.want)?;
                completions.sync();
            }
            batch.extend(completions.by_ref().take(self.args.batch));
            completions.sync();
            turns += 1;
            for completion in batch.drain(..) {
                requests += self.on_completion(&completion)?;
            }
        }
        window.end(requests, self.answer_bytes, turns)
    }

    /// Handles a completion. Returns the number of answers that it completes.
    fn on_completion(&mut self, completion: &cqueue::Entry) -> Result<u64> {
        let token = completion.user_data();
        let bytes = completion.result();
        if token & SEND != 0 {
            ensure!(bytes > 0, "a send ended with {bytes}");
            return Ok(0);
        }
        let mut text_bytes = bytes.max(0) as usize;
        if let Some(id) = cqueue::buffer_select(completion.flags()) {
            if let Some(encrypted) = self.encrypted.get_mut(token as usize) {
                let received = self.buffers.received_mut(id, text_bytes);
                text_bytes = 0;
                let count = |text: &[u8]| text_bytes += text.len();
                encrypted.receive(received, &mut Vec::new(), count)?;
            }
            self.buffers.give_back(id);
        }
        ensure!(
            bytes > 0 || bytes == -libc::ENOBUFS,
            "a receive ended with {bytes}"
        );
        if !cqueue::more(completion.flags()) {
            self.receive(token)?;
        }
        let received = &mut self.received[token as usize];
        *received += text_bytes;
        let answers = *received / self.answer_bytes;
        ensure!(answers <= self.args.pipeline, "more answers than requests");
        if answers > 0 {
            *received -= answers * self.answer_bytes;
            self.send(token, answers)?;
        }
        Ok(answers as u64)
    }

    fn receive(&mut self, connection: u64) -> Result<()> {
        let number = connection as u32;
        let entry = match (self.args.one_shot, self.args.fixed_files) {
            (false, true) => opcode::RecvMulti::new(Fixed(number), BUFFER_GROUP).build(),
            (false, false) => {
                opcode::RecvMulti::new(self.descriptor(connection), BUFFER_GROUP).build()
            }
            (true, true) => {
                self.receive_once(opcode::Recv::new(Fixed(number), std::ptr::null_mut(), 0))
            }
            (true, false) => self.receive_once(opcode::Recv::new(
                self.descriptor(connection),
                std::ptr::null_mut(),
                0,
            )),
        };
        self.push(&entry.user_data(connection))
    }

    /// A receive from the same provided buffers, without multishot.
    fn receive_once(&self, receive: opcode::Recv) -> squeue::Entry {
        receive
            .buf_group(BUFFER_GROUP)
            .build()
            .flags(squeue::Flags::BUFFER_SELECT)
    }

    fn send(&mut self, connection: u64, requests: usize) -> Result<()> {
        let text = &self.requests[..requests * self.request_bytes];
        let (start, bytes) = match self.encrypted.get_mut(connection as usize) {
            None => (text.as_ptr(), text.len() as u32),
            Some(encrypted) => {
                let sealed = &mut self.sealed[connection as usize];
                let bytes = encrypted.encrypt_into(text, sealed)?;
                (sealed.as_ptr(), bytes as u32)
            }
        };
        let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
        let entry = match self.args.fixed_files {
            true => opcode::Send::new(Fixed(connection as u32), start, bytes)
                .flags(flags)
                .build(),
            false => opcode::Send::new(self.descriptor(connection), start, bytes)
                .flags(flags)
                .build(),
        };
        let entry = match self.args.skip_send_success {
            true => entry.flags(squeue::Flags::SKIP_SUCCESS),
            false => entry,
        };
        self.push(&entry.user_data(SEND | connection))
    }

    fn descriptor(&self, connection: u64) -> Fd {
        Fd(self.sockets[connection as usize].as_raw_fd())
    }

    fn push(&mut self, entry: &squeue::Entry) -> Result<()> {
        // SAFETY: the request outlives the ring, the buffers live as long as the process, sockets stay open. A record is
        // overwritten when the answer to it has come, so it was sent.
        while unsafe { self.queue.push(entry) }.is_err() {
            self.enter(0)?;
        }
        Ok(())
    }

    fn enter(&mut self, want: usize) -> Result<()> {
        self.queue.sync();
        let entered = match self.args.min_wait_us {
            // With nothing to wait for, `submit_and_wait` would leave the deferred completions alone.
            0 if want == 0 => {
                let flags = io_uring::EnterFlags::GETEVENTS.bits();
                let pending = self.queue.len() as u32;
                // SAFETY: no argument is passed, and `push` was promised what the entries name.
                unsafe {
                    self.submitter
                        .enter::<libc::sigset_t>(pending, 0, flags, None)
                }
            }
            0 => self.submitter.submit_and_wait(want),
            min_wait_us => {
                let second = Timespec::new().sec(1);
                let arguments = SubmitArgs::new()
                    .timespec(&second)
                    .min_wait_usec(min_wait_us);
                self.submitter.submit_with_args(want, &arguments)
            }
        };
        self.queue.sync();
        match entered {
            Ok(_) => Ok(()),
            Err(e)
                if matches!(
                    e.raw_os_error(),
                    Some(libc::EINTR | libc::EBUSY | libc::EAGAIN | libc::ETIME)
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(error).context("io_uring_enter"),
        }
    }
}

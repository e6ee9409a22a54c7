//! The yardsticks for the choice of driver: a task per connection sends the same bytes, on tokio-uring and on tokio.
//!
//!     taskset -c 0 yardsticks --driver tokio-uring --addr 127.0.0.1:8000 --request request.raw --connections 64 --seconds 4
//!
//! One thread, a buffer per connection, answers counted by their bytes. They leave out what the floor leaves out: the
//! difference to the floor is the price of the runtime.

use std::cell::Cell;
use std::convert::Infallible;
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::{LocalSet, spawn_local};

use opsurge_testbed::bare_client::{Task, Window};

const BUFFER_BYTES: usize = 4096;
/// As large a batch as the floor's.
const SUBMISSIONS_MAX: u32 = 4096;

#[derive(Clone, Copy, ValueEnum)]
enum Driver {
    Tokio,
    TokioUring,
}

#[derive(Parser)]
struct Args {
    #[arg(long, value_enum)]
    driver: Driver,
    #[command(flatten)]
    task: Task,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let begun = args.task.begin(false)?;
    let work = Work {
        request: begun.request,
        answer_bytes: begun.answer_bytes,
        answered: Rc::new(Cell::new(0)),
        duration: Duration::from_secs_f64(args.task.seconds),
    };
    match args.driver {
        Driver::Tokio => tokio_loop(begun.sockets, work),
        Driver::TokioUring => tokio_uring_loop(begun.sockets, work),
    }
}

/// What each connection repeats.
#[derive(Clone)]
struct Work {
    request: Vec<u8>,
    answer_bytes: usize,
    answered: Rc<Cell<u64>>,
    duration: Duration,
}

fn tokio_loop(sockets: Vec<TcpStream>, work: Work) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        let window = Window::begin()?;
        for socket in sockets {
            socket.set_nonblocking(true)?;
            let socket = tokio::net::TcpStream::from_std(socket)?;
            spawn_local(or_exit(on_tokio(socket, work.clone())));
        }
        end(&window, &work).await
    })
}

async fn on_tokio(mut socket: tokio::net::TcpStream, work: Work) -> Result<Infallible> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        socket.write_all(&work.request).await?;
        let mut missing = work.answer_bytes;
        while missing > 0 {
            let bytes = socket.read(&mut buffer).await?;
            ensure!(bytes > 0, "the server closed the connection");
            missing = missing
                .checked_sub(bytes)
                .context("more bytes came than an answer has")?;
        }
        work.answered.set(work.answered.get() + 1);
    }
}

fn tokio_uring_loop(sockets: Vec<TcpStream>, work: Work) -> Result<()> {
    let mut builder = tokio_uring::builder();
    builder.entries(SUBMISSIONS_MAX);
    builder.start(async {
        let window = Window::begin()?;
        for socket in sockets {
            let socket = tokio_uring::net::TcpStream::from_std(socket);
            tokio_uring::spawn(or_exit(on_tokio_uring(socket, work.clone())));
        }
        end(&window, &work).await
    })
}

async fn on_tokio_uring(socket: tokio_uring::net::TcpStream, work: Work) -> Result<Infallible> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut request = work.request;
    loop {
        let (sent, back) = socket.write_all(request).await;
        sent?;
        request = back;
        let mut missing = work.answer_bytes;
        while missing > 0 {
            let (received, back) = socket.read(buffer).await;
            buffer = back;
            let bytes = received?;
            ensure!(bytes > 0, "the server closed the connection");
            missing = missing
                .checked_sub(bytes)
                .context("more bytes came than an answer has")?;
        }
        work.answered.set(work.answered.get() + 1);
    }
}

/// Waits until the time is over, prints the results, and ends the process at once: at 1,000 connections tokio-uring 0.5
/// sometimes crashes while it shuts down a runtime with operations under way.
async fn end(window: &Window, work: &Work) -> Result<()> {
    tokio::time::sleep(work.duration).await;
    // The runtime does not report its turns.
    window.end(work.answered.get(), work.answer_bytes, 0)?;
    std::process::exit(0)
}

/// Ends the process when a connection fails: with fewer connections it would measure something else.
async fn or_exit(connection: impl Future<Output = Result<Infallible>>) {
    let Err(error) = connection.await;
    eprintln!("{error:#}");
    std::process::exit(1);
}

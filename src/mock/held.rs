//! Connections whose answers are held back until their moment, while further requests are taken in.

use std::io;
use std::time::Instant;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;

use super::alarm::Alarm;
use super::counts::Answered;
use super::ops_core::OpsCore;
use super::request::{self, Read};
use super::server::READ_BYTES;
use super::workers::Workers;

/// Answers of one connection that are held at a time; a client that sends more requests has to wait with them.
const HELD_MAX: usize = 1024;

/// What is to be written, and when.
struct Held {
    due: Instant,
    bytes: Vec<u8>,
    /// What it counts as once it is written.
    answered: Option<Answered>,
    keep_alive: bool,
}

/// Requests in, answers out in their order and in their time, until either side has had enough. When the client goes,
/// the answers that are still held go to nobody, and are not counted.
pub(super) async fn converse(
    stream: &mut TcpStream,
    service: &OpsCore,
    workers: &Workers,
    alarm: &Alarm,
) -> io::Result<()> {
    let (reader, writer) = stream.split();
    let (hold, held) = mpsc::channel(HELD_MAX);
    tokio::select! {
        ended = take_requests(reader, service, workers, hold) => ended,
        ended = give_answers(writer, service, alarm, held) => ended,
    }
}

async fn take_requests(
    mut reader: ReadHalf<'_>,
    service: &OpsCore,
    workers: &Workers,
    hold: mpsc::Sender<Held>,
) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    let mut keep_alive = true;
    // After the last request only the client's end is waited for.
    while reader.read_buf(&mut buffer).await? > 0 {
        while keep_alive && !buffer.is_empty() {
            let now = Instant::now();
            let mut held = Held {
                due: now,
                bytes: Vec::new(),
                answered: None,
                keep_alive: true,
            };
            match request::read(&buffer) {
                Read::Partial { expects_continue } => {
                    if expects_continue {
                        held.bytes
                            .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                        // It fails when the connection is over, and this task with it.
                        let _ = hold.send(held).await;
                    }
                    break;
                }
                Read::Bad(status) => {
                    held.answered = Some(service.refuse(status, now, &mut held.bytes));
                    held.keep_alive = false;
                }
                Read::Whole(request, length) => {
                    held.answered = Some(service.answer(&request, now, &mut held.bytes));
                    held.keep_alive = request.keep_alive;
                    if !held.answered.is_some_and(Answered::is_health) {
                        held.due = workers.departure(now);
                    }
                    buffer.advance(length);
                }
            }
            keep_alive = held.keep_alive;
            let _ = hold.send(held).await;
        }
        if !keep_alive {
            buffer.clear();
        }
    }
    Ok(())
}

async fn give_answers(
    mut writer: WriteHalf<'_>,
    service: &OpsCore,
    alarm: &Alarm,
    mut held: mpsc::Receiver<Held>,
) -> io::Result<()> {
    while let Some(held) = held.recv().await {
        alarm.wait_until(held.due).await;
        writer.write_all(&held.bytes).await?;
        if let Some(answered) = held.answered {
            service.counters.on_answer(answered);
        }
        if !held.keep_alive {
            return Ok(());
        }
    }
    Ok(())
}

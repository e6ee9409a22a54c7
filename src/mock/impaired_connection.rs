//! A connection of an impaired stand-in: answers are held back until they are due, and spoiled by faults, while further
//! requests are read.

use std::cell::Cell;
use std::io;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;

use super::alarm::Alarm;
use super::connection::READ_BYTES;
use super::counts::Answered;
use super::faults::{Fault, Faults};
use super::impairments::Impairments;
use super::ops_core::OpsCore;
use super::request::{self, Read};

/// Most answers of one connection that are held back; further requests are not read until one is sent.
const HELD_MAX: usize = 1024;
/// The bytes of [`Fault::Garbage`] and [`Fault::ExtraBytes`].
const GARBAGE: &[u8] = b"\x00\xff no HTTP at all\r\n\r\n";
/// Pause between two bytes of [`Fault::SlowByte`].
const BYTE_PAUSE: Duration = Duration::from_millis(1);

/// An answer that is held back.
struct Held {
    due: Instant,
    bytes: Vec<u8>,
    /// What it counts as once it is written; `None` for an interim answer.
    answered: Option<Answered>,
    fault: Option<Fault>,
    keep_alive: bool,
}

/// Answers requests in their order, each when it is due, until either side ends the connection. When the client ends
/// it, answers that are still held back are dropped and not counted. `is_reset` says that a fault ends it by a reset: the
/// stream of an encrypted connection ends within this process, where there is none.
pub(super) async fn converse(
    stream: &mut TcpStream,
    service: &OpsCore,
    impairments: &Impairments,
    alarm: &Alarm,
    is_reset: &Cell<bool>,
) -> io::Result<()> {
    let (reader, writer) = stream.split();
    let (sender, receiver) = mpsc::channel(HELD_MAX);
    tokio::select! {
        ended = read_requests(reader, service, impairments, sender) => ended,
        ended = write_answers(writer, service, (alarm, is_reset), receiver) => ended,
    }
}

async fn read_requests(
    mut reader: ReadHalf<'_>,
    service: &OpsCore,
    impairments: &Impairments,
    answers: mpsc::Sender<Held>,
) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    let mut is_last = false;
    // After the last request it only waits for the client to end the connection.
    while reader.read_buf(&mut buffer).await? > 0 {
        while !is_last && !buffer.is_empty() {
            let (held, length) = match request::read(&buffer) {
                Read::Partial { expects_continue } => {
                    if expects_continue {
                        let _ = answers.send(Held::go_ahead()).await;
                    }
                    break;
                }
                Read::Bad(status) => (Held::refusal(service, status), buffer.len()),
                Read::Whole(request, length) => {
                    (Held::answer(service, &request, impairments), length)
                }
            };
            buffer.advance(length);
            is_last = !held.keep_alive;
            // It fails when a fault has ended the answers of this connection.
            is_last |= answers.send(held).await.is_err();
        }
        if is_last {
            buffer.clear();
        }
    }
    Ok(())
}

impl Held {
    /// `100 Continue`.
    fn go_ahead() -> Self {
        Self {
            due: Instant::now(),
            bytes: b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(),
            answered: None,
            fault: None,
            keep_alive: true,
        }
    }

    /// The answer to bytes that are no request.
    fn refusal(service: &OpsCore, status: u16) -> Self {
        let now = Instant::now();
        let mut bytes = Vec::new();
        let answered = service.refuse(status, now, &mut bytes);
        Self {
            due: now,
            bytes,
            answered: Some(answered),
            fault: None,
            keep_alive: false,
        }
    }

    fn answer(
        service: &OpsCore,
        request: &request::Request<'_>,
        impairments: &Impairments,
    ) -> Self {
        let now = Instant::now();
        let mut bytes = Vec::new();
        let fault = impairments.faults.as_ref().and_then(Faults::draw);
        let answered = match fault {
            Some(Fault::Status500) => service.fail(request, now, &mut bytes),
            _ => service.answer(request, now, &mut bytes),
        };
        let mut due = match &impairments.workers {
            Some(workers) if !answered.is_health() => workers.departure(now),
            _ => now,
        };
        if let Some(faults) = &impairments.faults {
            if fault == Some(Fault::Delay) {
                due += faults.plan.delay;
            }
            if let Some(end) = faults.stalled_until(due) {
                service.counters.on_stalled();
                due = end;
            }
        }
        Self {
            due,
            bytes,
            answered: Some(answered),
            fault,
            keep_alive: request.keep_alive,
        }
    }
}

/// What follows when an answer, or the part of it that a fault leaves, has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    GoOn,
    /// FIN, then a wait for the client to close.
    Fin,
    Reset,
    /// Nothing more is sent.
    Silence,
}

async fn write_answers(
    mut writer: WriteHalf<'_>,
    service: &OpsCore,
    (alarm, is_reset): (&Alarm, &Cell<bool>),
    mut queue: mpsc::Receiver<Held>,
) -> io::Result<()> {
    while let Some(mut held) = queue.recv().await {
        alarm.wait_until(held.due).await;
        let whole_bytes = held.bytes.len();
        let (length, end) = spoil(held.fault, &mut held.bytes);
        let bytes = &held.bytes[..length];
        if held.fault == Some(Fault::SlowByte) {
            // The pause is before each byte: after the last one the client has its answer, and may be gone.
            for byte in bytes {
                alarm.wait_until(Instant::now() + BYTE_PAUSE).await;
                writer.write_all(&[*byte]).await?;
            }
        } else {
            writer.write_all(bytes).await?;
        }
        let is_whole = length >= whole_bytes && held.fault != Some(Fault::Garbage);
        if let Some(answered) = held.answered.filter(|_| is_whole) {
            service.counters.on_answer(answered);
        }
        if let Some(fault) = held.fault {
            service.counters.on_fault(fault);
        }
        match end {
            End::GoOn if held.keep_alive => continue,
            End::GoOn => return Ok(()),
            End::Reset => {
                is_reset.set(true);
                return SockRef::from(writer.as_ref()).set_linger(Some(Duration::ZERO));
            }
            End::Fin => writer.shutdown().await?,
            End::Silence => {}
        }
        queue.close();
        // Until the client closes.
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// Applies a fault to an answer: how many of its bytes are written, and what follows.
fn spoil(fault: Option<Fault>, bytes: &mut Vec<u8>) -> (usize, End) {
    let whole = bytes.len();
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n");
    let head = head.map_or(whole, |at| at + 4);
    let in_body = (head + (whole - head) / 2).min(whole - 1);
    match fault {
        None | Some(Fault::Status500 | Fault::SlowByte | Fault::Delay) => (whole, End::GoOn),
        Some(Fault::ResetBeforeHead) => (0, End::Reset),
        Some(Fault::ResetInHead) => (head / 2, End::Reset),
        Some(Fault::ResetInBody) => (in_body, End::Reset),
        Some(Fault::CloseBeforeHead) => (0, End::Fin),
        Some(Fault::CloseInHead) => (head / 2, End::Fin),
        Some(Fault::CloseInBody) => (in_body, End::Fin),
        Some(Fault::CloseIdle) => (whole, End::Fin),
        Some(Fault::NoAnswer) => (0, End::Silence),
        Some(Fault::Garbage) => {
            *bytes = GARBAGE.to_vec();
            (GARBAGE.len(), End::Fin)
        }
        Some(Fault::ExtraBytes) => {
            bytes.extend_from_slice(GARBAGE);
            (bytes.len(), End::GoOn)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nbody";

    #[test]
    fn each_fault_cuts_where_its_name_says() {
        let head = ANSWER.len() - 4;
        for fault in Fault::ALL {
            let mut bytes = ANSWER.to_vec();
            let (length, end) = spoil(Some(fault), &mut bytes);
            let name = fault.name();
            match (name.split('-').next(), name) {
                (Some("reset"), _) => assert_eq!(end, End::Reset),
                (Some("close"), _) | (_, "garbage") => assert_eq!(end, End::Fin),
                (_, "no-answer") => assert_eq!(end, End::Silence),
                _ => assert_eq!(end, End::GoOn),
            }
            match name {
                _ if name.ends_with("before-head") || name == "no-answer" => assert_eq!(length, 0),
                _ if name.ends_with("in-head") => assert!((1..head).contains(&length)),
                _ if name.ends_with("in-body") => assert!((head..ANSWER.len()).contains(&length)),
                "garbage" => assert_eq!(&bytes[..length], GARBAGE),
                "extra-bytes" => assert_eq!(bytes[..length], [ANSWER, GARBAGE].concat()),
                _ => assert_eq!(length, ANSWER.len()),
            }
        }
    }
}

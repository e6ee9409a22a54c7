//! The body of `/events`: server-sent events (HTML Standard, section 9.2), made when the connection can take more. A
//! reader that is slow gets the newest drawing then, and all seconds that it missed.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::watch::Receiver;

use super::board::{Board, Newest};

/// Resolves when there is something newer, to the receiver and whether more can come.
type Waiting = Pin<Box<dyn Future<Output = (Receiver<Newest>, bool)> + Send>>;

/// The body of an answer.
pub enum Answer {
    /// All of it; `None` once it was taken.
    Whole(Option<Bytes>),
    /// Events, until the run is over.
    Events(Box<Events>),
}

/// Events of one connection.
pub struct Events {
    board: Arc<Board>,
    /// Number of the last second that was sent.
    second: u64,
    /// Number of the last drawing that was sent.
    drawing: u64,
    waiting: Option<Waiting>,
    receiver: Option<Receiver<Newest>>,
    is_ended: bool,
}

impl Events {
    /// Events after a second: 0 for all.
    pub fn after(board: Arc<Board>, second: u64) -> Self {
        Self {
            receiver: Some(board.subscribe()),
            board,
            second,
            drawing: 0,
            waiting: None,
            is_ended: false,
        }
    }

    /// What there is to send now.
    fn next(&mut self, newest: &Newest) -> Option<Bytes> {
        if let Some((number, seconds)) = self.board.seconds_after(self.second) {
            self.second = number;
            return Some(event("seconds", Some(number), &seconds));
        }
        if newest.drawing > self.drawing {
            self.drawing = newest.drawing;
            return Some(newest.charts.clone());
        }
        if newest.is_over && !self.is_ended {
            self.is_ended = true;
            return Some(event("end", None, "{}"));
        }
        None
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(mut receiver) = self.receiver.take() {
                let newest = receiver.borrow_and_update().clone();
                if let Some(bytes) = self.next(&newest) {
                    self.receiver = Some(receiver);
                    return Poll::Ready(Some(bytes));
                }
                if self.is_ended {
                    return Poll::Ready(None);
                }
                self.waiting = Some(Box::pin(async move {
                    let is_open = receiver.changed().await.is_ok();
                    (receiver, is_open)
                }));
            }
            let Some(waiting) = &mut self.waiting else {
                return Poll::Ready(None);
            };
            let (receiver, is_open) = ready!(waiting.as_mut().poll(context));
            self.waiting = None;
            if !is_open {
                return Poll::Ready(None);
            }
            self.receiver = Some(receiver);
        }
    }
}

/// An event; its data has no line break.
fn event(name: &str, id: Option<u64>, data: &str) -> Bytes {
    let id = id.map_or(String::new(), |id| format!("id: {id}\n"));
    Bytes::from(format!("{id}event: {name}\ndata: {data}\n\n"))
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match self.get_mut() {
            Self::Whole(bytes) => bytes.take(),
            Self::Events(events) => ready!(events.poll_next(context)),
        };
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Events(_) => SizeHint::default(),
        }
    }
}

//! A service with faults from a seed: valid answers in other framings, error statuses, late and missing answers.

use std::collections::HashMap;

use crate::support::sim_server::{Answer, Answers, Framing, Seen};
use opsurge::sim::Dice;

/// The faults, each drawn anew for each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum ServiceFault {
    Chunked,
    UntilClose,
    LastAnswer,
    Interim,
    Unavailable,
    TooMany,
    Redirect,
    NoContent,
    LongBody,
    Slow,
    TooLate,
    GivesUpWaiting,
    RefusesEarly,
}

pub const SERVICE_FAULTS: [ServiceFault; 13] = [
    ServiceFault::Chunked,
    ServiceFault::UntilClose,
    ServiceFault::LastAnswer,
    ServiceFault::Interim,
    ServiceFault::Unavailable,
    ServiceFault::TooMany,
    ServiceFault::Redirect,
    ServiceFault::NoContent,
    ServiceFault::LongBody,
    ServiceFault::Slow,
    ServiceFault::TooLate,
    ServiceFault::GivesUpWaiting,
    ServiceFault::RefusesEarly,
];

pub struct FaultyService<A> {
    pub inner: A,
    dice: Dice,
    chances: [f64; SERVICE_FAULTS.len()],
    /// How often each fault was drawn.
    pub fired: [u64; SERVICE_FAULTS.len()],
    /// Number of answers, by method, last part of the path without its query, and status.
    pub given: HashMap<(String, String, u16), u64>,
    /// Whole requests.
    pub requests: u64,
    /// Answers to HEAD that announce a body, which an answer to HEAD never has.
    pub bodies_on_head: u64,
}

impl<A> FaultyService<A> {
    /// As in the network of the simulation: a quarter of the faults can occur, each in up to a quarter of the requests.
    pub fn new(inner: A, seed: u64) -> Self {
        let mut dice = Dice::new(!seed);
        let chances = SERVICE_FAULTS.map(|_| match dice.hits(0.25) {
            true => dice.chance() * 0.25,
            false => 0.0,
        });
        Self {
            inner,
            dice,
            chances,
            fired: [0; SERVICE_FAULTS.len()],
            given: HashMap::new(),
            requests: 0,
            bodies_on_head: 0,
        }
    }

    fn is_in(&mut self, fault: ServiceFault) -> bool {
        let hits = self.dice.hits(self.chances[fault as usize]);
        self.fired[fault as usize] += u64::from(hits);
        hits
    }
}

/// The last part of a path, without its query.
pub fn last_part(path: &str) -> &str {
    let path = path.split('?').next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}

impl<A: Answers> Answers for FaultyService<A> {
    fn answer(&mut self, seen: &Seen) -> Answer {
        self.requests += 1;
        let mut answer = self.inner.answer(seen);
        for (fault, status) in [
            (ServiceFault::Unavailable, 503),
            (ServiceFault::TooMany, 429),
            (ServiceFault::Redirect, 302),
            (ServiceFault::NoContent, 204),
        ] {
            if self.is_in(fault) {
                answer.status = status;
                answer.body.clear();
                answer.fields += "location: /elsewhere\r\n";
            }
        }
        if self.is_in(ServiceFault::LongBody) && answer.status != 204 {
            let blanks = self.dice.below(100_000) as usize;
            answer.body.resize(answer.body.len() + blanks, b' ');
        }
        if self.is_in(ServiceFault::Interim) {
            answer.interim = 1 + self.dice.below(20) as usize;
        }
        if self.is_in(ServiceFault::Slow) {
            answer.after_ns += self.dice.below(500_000_000);
        }
        if self.is_in(ServiceFault::TooLate) {
            answer.after_ns += self.dice.below(6_000_000_000);
        }
        if self.is_in(ServiceFault::GivesUpWaiting) {
            let text = "HTTP/1.1 408 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            answer.afterthought = Some((self.dice.below(1_000_000_000), text.into()));
        }
        // An answer with 204 has no body, and no framing.
        let framings = [
            (
                ServiceFault::Chunked,
                Framing::Chunked(1 + self.dice.below(50) as usize),
            ),
            (ServiceFault::UntilClose, Framing::UntilClose),
            (ServiceFault::LastAnswer, Framing::LengthAndClose),
        ];
        for (fault, framing) in framings {
            if answer.status != 204 && self.is_in(fault) {
                answer.framing = framing;
            }
        }
        let framing = matches!(answer.framing, Framing::Chunked(_) | Framing::UntilClose);
        let has_body = !answer.body.is_empty() || framing;
        self.bodies_on_head += u64::from(has_body && seen.method == "HEAD");
        let key = (
            seen.method.clone(),
            last_part(&seen.path).to_owned(),
            answer.status,
        );
        *self.given.entry(key).or_default() += 1;
        answer
    }

    fn refuse_early(&mut self) -> Option<Answer> {
        self.is_in(ServiceFault::RefusesEarly).then(|| Answer {
            framing: Framing::LengthAndClose,
            ..Answer::new(413, "too large")
        })
    }
}

//! A server with moods: what a service of good will answers, said in other ways, or not at all.

use std::collections::HashMap;

use opsurge::io::sim::Dice;

use super::server::{Answer, Answers, Framing, Seen};

/// What can come over it, request by request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Mood {
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

pub const MOODS: [Mood; 13] = [
    Mood::Chunked,
    Mood::UntilClose,
    Mood::LastAnswer,
    Mood::Interim,
    Mood::Unavailable,
    Mood::TooMany,
    Mood::Redirect,
    Mood::NoContent,
    Mood::LongBody,
    Mood::Slow,
    Mood::TooLate,
    Mood::GivesUpWaiting,
    Mood::RefusesEarly,
];

pub struct Moody<A> {
    pub inner: A,
    dice: Dice,
    chances: [f64; MOODS.len()],
    /// How often each came over it.
    pub fired: [u64; MOODS.len()],
    /// Answers given, by method, last part of the path without its query, and status.
    pub given: HashMap<(String, String, u16), u64>,
    /// Whole requests.
    pub requests: u64,
    /// Answers to HEAD that end as if they had a body, which none has.
    pub bodies_on_head: u64,
}

impl<A> Moody<A> {
    /// As with a troubled network: a quarter of the moods can come, each up to a quarter of the time.
    pub fn new(inner: A, seed: u64) -> Self {
        let mut dice = Dice::new(!seed);
        let chances = MOODS.map(|_| match dice.hits(0.25) {
            true => dice.chance() * 0.25,
            false => 0.0,
        });
        Self {
            inner,
            dice,
            chances,
            fired: [0; MOODS.len()],
            given: HashMap::new(),
            requests: 0,
            bodies_on_head: 0,
        }
    }

    fn is_in(&mut self, mood: Mood) -> bool {
        let hits = self.dice.hits(self.chances[mood as usize]);
        self.fired[mood as usize] += u64::from(hits);
        hits
    }
}

/// The last part of a path, without its query.
pub fn last_part(path: &str) -> &str {
    let path = path.split('?').next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}

impl<A: Answers> Answers for Moody<A> {
    fn answer(&mut self, seen: &Seen) -> Answer {
        self.requests += 1;
        let mut answer = self.inner.answer(seen);
        for (mood, status) in [
            (Mood::Unavailable, 503),
            (Mood::TooMany, 429),
            (Mood::Redirect, 302),
            (Mood::NoContent, 204),
        ] {
            if self.is_in(mood) {
                answer.status = status;
                answer.body.clear();
                answer.fields += "location: /elsewhere\r\n";
            }
        }
        if self.is_in(Mood::LongBody) && answer.status != 204 {
            answer.body += &" ".repeat(self.dice.below(100_000) as usize);
        }
        if self.is_in(Mood::Interim) {
            answer.interim = 1 + self.dice.below(20) as usize;
        }
        if self.is_in(Mood::Slow) {
            answer.after_ns += self.dice.below(500_000_000);
        }
        if self.is_in(Mood::TooLate) {
            answer.after_ns += self.dice.below(6_000_000_000);
        }
        if self.is_in(Mood::GivesUpWaiting) {
            let text = "HTTP/1.1 408 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            answer.afterthought = Some((self.dice.below(1_000_000_000), text.into()));
        }
        // A body that is not allowed needs no framing.
        let framings = [
            (
                Mood::Chunked,
                Framing::Chunked(1 + self.dice.below(50) as usize),
            ),
            (Mood::UntilClose, Framing::UntilClose),
            (Mood::LastAnswer, Framing::LengthAndClose),
        ];
        for (mood, framing) in framings {
            if answer.status != 204 && self.is_in(mood) {
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
        self.is_in(Mood::RefusesEarly).then(|| Answer {
            framing: Framing::LengthAndClose,
            ..Answer::new(413, "too large")
        })
    }
}

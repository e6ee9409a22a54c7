//! Orders through the page: which there are, who may give them, and what is answered. Pure.

use crate::live::screen::keys::Changes;
use crate::text::units::level as shown_level;

/// Longest body of an order, in bytes: a number.
pub const BODY_BYTES_MAX: usize = 64;

/// The page's way to the run.
pub struct Controls {
    /// What an order has to carry.
    pub token: String,
    /// Asks for another level.
    pub change: Box<dyn Fn(f64) + Send + Sync>,
    /// Ends the load; open requests are waited for. `false` when the load is ending already.
    pub drain: Box<dyn Fn() -> bool + Send + Sync>,
    /// What the load can be changed to, or why it cannot be.
    pub changes: Result<Changes, String>,
}

/// The answer to an order: its status (RFC 9110 section 15), and a sentence.
pub type Answered = (u16, String);

impl Controls {
    /// Carries out the order at `/control/NAME` with this token and body.
    pub fn on_order(&self, name: &str, token: Option<&[u8]>, body: &[u8]) -> Answered {
        if !token.is_some_and(|token| is_same(token, self.token.as_bytes())) {
            let cure =
                "send the token that opsurge printed at its start in the field X-Opsurge-Token";
            return (403, format!("no order without its token: {cure}"));
        }
        match name {
            "users" => self.on_level(body, false),
            "rate" => self.on_level(body, true),
            "drain" if (self.drain)() => (202, "drain: open requests are waited for".into()),
            "drain" => (409, "the load is ending already".into()),
            _ => (404, "orders are users, rate and drain".into()),
        }
    }

    fn on_level(&self, body: &[u8], is_open: bool) -> Answered {
        let changes = match &self.changes {
            Ok(changes) => changes,
            Err(reason) => return (409, reason.clone()),
        };
        if changes.is_open != is_open {
            let (is, way) = match changes.is_open {
                true => ("open", "rate"),
                false => ("closed", "users"),
            };
            return (409, format!("the load is {is}: POST to /control/{way}"));
        }
        let (least, most) = (changes.min, changes.max);
        let text = std::str::from_utf8(body).unwrap_or_default().trim();
        let is_fine = |level: &f64| {
            (least..=most).contains(level) && (changes.is_open || level.fract() == 0.0)
        };
        match text.parse().ok().filter(is_fine) {
            Some(level) => {
                (self.change)(level);
                let noun = changes.noun();
                (202, format!("{} {noun} asked for", shown_level(level)))
            }
            None => {
                let kind = if is_open {
                    "a number"
                } else {
                    "a whole number"
                };
                let (least, most) = (shown_level(least), shown_level(most));
                (
                    422,
                    format!("give {kind} from {least} to {most} as the body"),
                )
            }
        }
    }
}

/// Compares in a time that does not tell how much of it is right.
fn is_same(given: &[u8], expected: &[u8]) -> bool {
    let differs = given
        .iter()
        .zip(expected)
        .fold(0, |sum, (one, other)| sum | (one ^ other));
    given.len() == expected.len() && differs == 0
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    type Asked = Arc<Mutex<Vec<f64>>>;

    fn controls(is_open: bool) -> (Controls, Asked) {
        let asked = Asked::default();
        let sink = asked.clone();
        let controls = Controls {
            token: "secret".into(),
            change: Box::new(move |level| sink.lock().expect("no panic").push(level)),
            drain: Box::new(|| false),
            changes: Ok(Changes {
                is_open,
                min: 1.0,
                max: 50.0,
            }),
        };
        (controls, asked)
    }

    #[test]
    fn an_order_needs_its_token_and_a_level_within_its_limits() {
        let (controls, asked) = controls(false);
        let status = |name, token: &str, body: &str| {
            controls
                .on_order(name, Some(token.as_bytes()), body.as_bytes())
                .0
        };
        for token in ["", "secre", "secrets", "Secret"] {
            assert_eq!(status("users", token, "7"), 403, "{token}");
        }
        assert_eq!(controls.on_order("drain", None, b"").0, 403);
        for body in ["", "0", "51", "1.5", "NaN", "inf", "seven", "7 8"] {
            assert_eq!(status("users", "secret", body), 422, "{body}");
        }
        assert_eq!(status("rate", "secret", "7"), 409);
        assert_eq!(status("drain", "secret", ""), 409);
        assert_eq!(status("stop", "secret", ""), 404);
        assert!(asked.lock().expect("no panic").is_empty());
        assert_eq!(status("users", "secret", " 7\n"), 202);
        assert_eq!(*asked.lock().expect("no panic"), [7.0]);
    }

    #[test]
    fn an_open_load_takes_fractions_and_a_fixed_one_nothing() {
        let (mut controls, asked) = controls(true);
        assert_eq!(controls.on_order("rate", Some(b"secret"), b"1.5").0, 202);
        assert_eq!(*asked.lock().expect("no panic"), [1.5]);
        controls.changes = Err("the search decides the load".into());
        let answered = controls.on_order("rate", Some(b"secret"), b"1.5");
        assert_eq!(answered, (409, "the search decides the load".into()));
    }
}

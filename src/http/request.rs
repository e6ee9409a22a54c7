//! Renders a request into the caller's buffer: literal bytes with holes, no allocation, no formatting but one number.

use std::fmt;
use std::ops::Range;

/// Bytes that a value's length takes in front of it.
const LENGTH_BYTES: usize = 2;

/// A place in a user's values: a length (u16, little endian) and room for a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Where it begins.
    pub offset: usize,
    /// Longest text that it holds, in bytes.
    pub bytes_max: usize,
    /// Every user's text has the same length.
    pub fixed: bool,
}

impl Slot {
    /// Bytes that it takes in a user's values.
    pub fn stride(self) -> usize {
        LENGTH_BYTES + self.bytes_max
    }

    /// Puts a text in.
    pub fn store(self, text: &[u8], values: &mut [u8]) {
        assert!(text.len() <= self.bytes_max && text.len() <= usize::from(u16::MAX));
        let place = &mut values[self.offset..self.offset + self.stride()];
        place[..LENGTH_BYTES].copy_from_slice(&(text.len() as u16).to_le_bytes());
        place[LENGTH_BYTES..LENGTH_BYTES + text.len()].copy_from_slice(text);
    }

    /// The text that was put in.
    #[inline]
    pub fn text(self, values: &[u8]) -> &[u8] {
        let length = u16::from_le_bytes([values[self.offset], values[self.offset + 1]]);
        let start = self.offset + LENGTH_BYTES;
        &values[start..start + usize::from(length)]
    }
}

/// A part of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The same for everybody.
    Literal(Vec<u8>),
    /// A user's value.
    Value(Slot),
}

/// A request with holes, compiled.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    text: Vec<u8>,
    segments: Vec<Segment>,
    body_literal_bytes: usize,
    body_slots: Vec<Slot>,
    bytes_max: usize,
}

#[derive(Clone, PartialEq, Eq)]
enum Segment {
    Literal(Range<usize>),
    Value(Slot),
    ContentLength,
}

impl fmt::Debug for Template {
    /// Shows no byte of it: it may hold a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (segments, bytes_max) = (self.segments.len(), self.bytes_max);
        write!(
            f,
            "Template({segments} segments, at most {bytes_max} bytes)"
        )
    }
}

impl Template {
    /// A request from its head (request line and fields, each with its line end, without the empty line) and its body.
    /// With a body, even an empty one, a `Content-Length` field (RFC 9110 section 8.6) is put at the end of the head.
    pub fn new(head: Vec<Part>, body: Option<Vec<Part>>) -> Self {
        let mut template = Self {
            text: Vec::new(),
            segments: Vec::new(),
            body_literal_bytes: 0,
            body_slots: Vec::new(),
            bytes_max: 0,
        };
        for part in head {
            template.push(part);
        }
        let has_body = body.is_some();
        let body = body.unwrap_or_default();
        for part in &body {
            match part {
                Part::Literal(bytes) => template.body_literal_bytes += bytes.len(),
                Part::Value(slot) => template.body_slots.push(*slot),
            }
        }
        if has_body {
            template.push_content_length();
        }
        template.push(Part::Literal(b"\r\n".to_vec()));
        for part in body {
            template.push(part);
        }
        template
    }

    /// An upper bound of what [`Template::render`] writes, in bytes.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Writes a user's request to the start of `out` (at least [`Template::bytes_max`] long); returns its length.
    #[inline]
    pub fn render(&self, values: &[u8], out: &mut [u8]) -> usize {
        let mut at = 0;
        for segment in &self.segments {
            let bytes = match segment {
                Segment::Literal(range) => &self.text[range.clone()],
                Segment::Value(slot) => slot.text(values),
                Segment::ContentLength => {
                    at += write_decimal(self.body_bytes(values), &mut out[at..]);
                    continue;
                }
            };
            out[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        }
        at
    }

    fn body_bytes(&self, values: &[u8]) -> usize {
        let of_values: usize = self
            .body_slots
            .iter()
            .map(|slot| slot.text(values).len())
            .sum();
        self.body_literal_bytes + of_values
    }

    fn push_content_length(&mut self) {
        self.push(Part::Literal(b"Content-Length: ".to_vec()));
        if self.body_slots.iter().all(|slot| slot.fixed) {
            let of_slots: usize = self.body_slots.iter().map(|slot| slot.bytes_max).sum();
            let length = (self.body_literal_bytes + of_slots).to_string();
            self.push(Part::Literal(length.into_bytes()));
        } else {
            self.segments.push(Segment::ContentLength);
            self.bytes_max += DECIMAL_BYTES_MAX;
        }
        self.push(Part::Literal(b"\r\n".to_vec()));
    }

    /// Neighbouring literals become one, so that a request without holes is one copy.
    fn push(&mut self, part: Part) {
        match part {
            Part::Value(slot) => {
                self.bytes_max += slot.bytes_max;
                self.segments.push(Segment::Value(slot));
            }
            Part::Literal(bytes) => {
                self.bytes_max += bytes.len();
                let start = self.text.len();
                self.text.extend_from_slice(&bytes);
                let end = self.text.len();
                match self.segments.last_mut() {
                    Some(Segment::Literal(before)) => before.end = end,
                    _ => self.segments.push(Segment::Literal(start..end)),
                }
            }
        }
    }
}

/// Digits of the largest `usize`.
const DECIMAL_BYTES_MAX: usize = 20;

fn write_decimal(mut number: usize, out: &mut [u8]) -> usize {
    let mut digits = [0; DECIMAL_BYTES_MAX];
    let mut at = DECIMAL_BYTES_MAX;
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    let count = DECIMAL_BYTES_MAX - at;
    out[..count].copy_from_slice(&digits[at..]);
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Part {
        Part::Literal(text.as_bytes().to_vec())
    }

    /// Renders with one value in the hole, into a buffer of exactly the promised size.
    fn check(head: &str, body: Option<(&str, bool)>, value: &str, expected: &str) {
        let fixed = body.is_some_and(|(_, fixed)| fixed);
        let slot = Slot {
            offset: 0,
            bytes_max: if fixed { value.len() } else { 300 },
            fixed,
        };
        let mut values = vec![0; slot.stride()];
        slot.store(value.as_bytes(), &mut values);
        let body = body.map(|(text, _)| vec![literal(text), Part::Value(slot)]);
        let template = Template::new(vec![literal(head)], body);
        let mut out = vec![0; template.bytes_max()];
        let length = template.render(&values, &mut out);
        assert_eq!(String::from_utf8_lossy(&out[..length]), expected);
    }

    #[test]
    fn the_content_length_is_that_of_the_body_whatever_is_put_in() {
        let head = "POST / HTTP/1.1\r\n";
        let expected = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nid=ab";
        check(head, Some(("id=", true)), "ab", expected);
        check(head, Some(("id=", false)), "ab", expected);
        let long = "x".repeat(97);
        let expected = format!("POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nid={long}");
        check(head, Some(("id=", false)), &long, &expected);
        check(
            head,
            Some(("", true)),
            "",
            "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        );
    }

    #[test]
    fn without_a_body_there_is_no_content_length() {
        check("GET / HTTP/1.1\r\n", None, "", "GET / HTTP/1.1\r\n\r\n");
    }

    #[test]
    fn a_template_shows_nothing_of_its_text() {
        let template = Template::new(vec![literal("Authorization: s3cret\r\n")], None);
        assert!(!format!("{template:?}").contains("s3cret"));
    }
}

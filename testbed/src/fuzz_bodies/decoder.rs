//! The response decoder: how a stream is split does not change the result.

use opsurge::http::buffers::Buffers;
use opsurge::http::response::{Decoded, Decoder, Expecting, Keep, Phase};

/// Streams up to this length are also fed byte by byte.
const SINGLE_BYTES_MAX: usize = 8 * 1024;

/// The part of the result that must not depend on the split.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Answer {
        status: u16,
        body_bytes: u64,
        keep_alive: bool,
        interim: u32,
        /// Bytes of the whole stream that belong to the answer.
        consumed: usize,
        head: Vec<u8>,
        body: Vec<u8>,
    },
    /// No valid answer. Which of several errors is found first may depend on the split.
    None,
}

/// Input: one byte for the kind of request and what is kept, two for the split, then the stream.
pub fn decoder(input: &[u8]) {
    let [mode, seed_low, seed_high, stream @ ..] = input else {
        return;
    };
    let expecting = [Expecting::Body, Expecting::Head, Expecting::Connect][usize::from(mode % 3)];
    let keep = Keep {
        head: mode & 4 != 0,
        body_bytes: [0, 1, 7, 64][usize::from(mode >> 3) % 4],
    };
    let whole = verdict(&[stream], expecting, keep);
    if let Verdict::Answer {
        consumed,
        body,
        body_bytes,
        ..
    } = &whole
    {
        assert!(*consumed <= stream.len());
        assert!(*body_bytes <= stream.len() as u64);
        assert_eq!(body.len() as u64, (keep.body_bytes as u64).min(*body_bytes));
    }
    let pieces = split(stream, u16::from_le_bytes([*seed_low, *seed_high]));
    assert_eq!(whole, verdict(&pieces, expecting, keep), "in pieces");
    if stream.len() <= SINGLE_BYTES_MAX {
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(whole, verdict(&single, expecting, keep), "byte by byte");
    }
}

/// Feeds a stream in pieces, then its end. Returns the result.
fn verdict(pieces: &[&[u8]], expecting: Expecting, keep: Keep) -> Verdict {
    let mut decoder = Decoder::new();
    let mut buffers = Buffers::default();
    decoder.start(expecting, keep);
    assert_eq!(decoder.phase(), Phase::BeforeHead);
    let mut decoded = Decoded::Partial;
    let mut before = 0;
    for piece in pieces {
        decoded = decoder.on_bytes(piece, &mut buffers);
        if decoded != Decoded::Partial {
            break;
        }
        before += piece.len();
    }
    if decoded == Decoded::Partial {
        decoded = decoder.on_close();
    }
    match decoded {
        Decoded::Complete(answer) => Verdict::Answer {
            status: answer.status,
            body_bytes: answer.body_bytes,
            keep_alive: answer.keep_alive,
            interim: answer.interim,
            consumed: before + answer.consumed,
            head: decoder.head().to_vec(),
            body: decoder.body().to_vec(),
        },
        Decoded::Invalid(invalid) => {
            assert!(!invalid.to_string().is_empty());
            Verdict::None
        }
        Decoded::Partial => Verdict::None,
    }
}

/// Splits a stream into pieces of lengths by the seed, most of them short.
fn split(stream: &[u8], seed: u16) -> Vec<&[u8]> {
    let mut state = u32::from(seed) << 1 | 1;
    let mut rest = stream;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let bytes_max = if state & 3 == 0 { 2_000 } else { 20 };
        let (piece, later) = rest.split_at(rest.len().min((state >> 8) as usize % bytes_max + 1));
        pieces.push(piece);
        rest = later;
    }
    pieces
}

pub fn examples() -> Vec<Vec<u8>> {
    [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"q\\\"\"\r\nabc\r\n0\r\nT: 1\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 3\r\nA: b\r\n c\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n00\r\n\r\n",
        "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2, 2\r\n\r\nokHTTP/1.1 200 OK\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 304 X\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 200\r\n\r\nuntil the end",
        "HTTP/1.1 200 OK\nA: b\n\nbare line ends",
        "\u{15}\u{3}\u{3}",
    ]
    .iter()
    .enumerate()
    .map(|(nth, text)| [&[4 | (nth as u8) << 3, nth as u8, 1], text.as_bytes()].concat())
    .collect()
}

//! The decoder: framing by framing, at every split, with seeded garbage.

use super::*;

/// Decodes bytes that arrive in pieces, followed by the end of the stream.
fn decode(pieces: &[&[u8]], expecting: Expecting) -> (Decoded, Vec<u8>) {
    let mut decoder = Decoder::new();
    decoder.start(expecting, Keep::body(64));
    let mut decoded = Decoded::Partial;
    for piece in pieces {
        decoded = decoder.on_bytes(piece, &mut Buffers::default());
        if decoded != Decoded::Partial {
            return (decoded, decoder.body().to_vec());
        }
    }
    if decoded == Decoded::Partial {
        decoded = decoder.on_close();
    }
    (decoded, decoder.body().to_vec())
}

/// Status, kept body, whether the connection may be used again; or the beginning of the reason.
type Expected<'e> = Result<(u16, &'e str, bool), &'e str>;

fn check_for(expecting: Expecting, text: &str, expected: Expected<'_>) {
    let bytes = text.as_bytes();
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    let mut splits: Vec<Vec<&[u8]>> = (0..=bytes.len())
        .map(|at| vec![&bytes[..at], &bytes[at..]])
        .collect();
    splits.push(single);
    for split in splits {
        let (decoded, body) = decode(&split, expecting);
        match (decoded, expected) {
            (Decoded::Complete(answer), Ok((status, kept, reusable))) => {
                assert_eq!(answer.status, status, "{text:?}");
                assert_eq!(String::from_utf8_lossy(&body), kept, "{text:?}");
                assert_eq!(answer.keep_alive, reusable, "{text:?}");
            }
            (Decoded::Invalid(invalid), Err(reason)) => {
                assert!(
                    invalid.to_string().starts_with(reason),
                    "{text:?}: {invalid}"
                );
            }
            (Decoded::Partial, Err("cut short")) => {}
            _ => panic!("{text:?}: {decoded:?} instead of {expected:?}"),
        }
    }
}

fn check(text: &str, expected: Expected<'_>) {
    check_for(Expecting::Body, text, expected);
}

#[test]
fn the_length_field_tells_where_the_body_ends() {
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        Ok((200, "hello", true)),
    );
    check(
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        Ok((200, "", true)),
    );
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
        Ok((200, "ok", true)),
    );
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        Err("cut short"),
    );
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        Err("Content-Length is not"),
    );
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        Err("several"),
    );
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        Err("Content-Length"),
    );
}

#[test]
fn ten_gibibytes_are_counted_and_not_kept() {
    let mut decoder = Decoder::new();
    decoder.start(Expecting::Body, Keep::body(8));
    let length = 10u64 << 30;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    assert_eq!(
        decoder.on_bytes(head.as_bytes(), &mut Buffers::default()),
        Decoded::Partial
    );
    let block = vec![b'x'; 1 << 20];
    let mut decoded = Decoded::Partial;
    for _ in 0..10 << 10 {
        assert_eq!(decoded, Decoded::Partial);
        decoded = decoder.on_bytes(&block, &mut Buffers::default());
    }
    match decoded {
        Decoded::Complete(answer) => assert_eq!(answer.body_bytes, length),
        other => panic!("{other:?}"),
    }
    assert_eq!(decoder.body(), b"xxxxxxxx");
}

#[test]
fn chunks_are_joined_and_their_framing_is_left_out() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let check_body = |body: &str, expected| check(&format!("{head}{body}"), expected);
    check_body("5\r\nhello\r\n0\r\n\r\n", Ok((200, "hello", true)));
    check_body(
        "3;a=\"x;\\\"y\"\r\nhel\r\n02\r\nlo\r\n0\r\nX-Sum: 7\r\n\r\n",
        Ok((200, "hello", true)),
    );
    check_body("5\r\nhello\r\n0\r\n", Err("cut short"));
    check_body("5\r\nhello!\r\n0\r\n\r\n", Err("chunk data is longer"));
    check_body("x\r\n", Err("a chunk size is not"));
    check_body("\r\n", Err("a chunk size is not"));
    check_body("11111111111111111\r\n", Err("a chunk size does not fit"));
    check_body("5\nhello", Err("a chunk size is not"));
    check_body("0\r\nbad trailer\r\n\r\n", Err("the trailer"));
}

#[test]
fn chunked_wins_over_a_length_but_the_connection_is_not_trusted() {
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    check(both, Ok((200, "ok", false)));
    let old =
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    check(old, Ok((200, "", false)));
}

#[test]
fn without_framing_the_close_ends_the_body() {
    check(
        "HTTP/1.1 200 OK\r\n\r\nall of it",
        Ok((200, "all of it", false)),
    );
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxyz",
        Ok((200, "xyz", false)),
    );
}

#[test]
fn some_answers_have_no_body_whatever_their_fields_say() {
    check(
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
        Ok((204, "", true)),
    );
    check(
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        Ok((304, "", true)),
    );
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    check_for(Expecting::Head, head, Ok((200, "", true)));
    check_for(Expecting::Connect, head, Ok((200, "", false)));
}

#[test]
fn keep_alive_follows_version_and_connection_field() {
    let check_fields = |line: &str, fields: &str, reusable| {
        let text = format!("{line}\r\n{fields}Content-Length: 0\r\n\r\n");
        check(&text, Ok((200, "", reusable)));
    };
    check_fields("HTTP/1.1 200 OK", "", true);
    check_fields("HTTP/1.1 200 OK", "Connection: foo, CLOSE\r\n", false);
    check_fields("HTTP/1.0 200 OK", "", false);
    check_fields("HTTP/1.0 200 OK", "Connection: Keep-Alive\r\n", true);
    check_fields(
        "HTTP/1.0 200 OK",
        "Connection: keep-alive\r\nConnection: close\r\n",
        false,
    );
}

#[test]
fn interim_answers_are_counted_and_passed_over() {
    let mut decoder = Decoder::new();
    decoder.start(Expecting::Body, Keep::body(0));
    let mut text = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(1000);
    text += "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let Decoded::Complete(answer) = decoder.on_bytes(text.as_bytes(), &mut Buffers::default())
    else {
        panic!("the answer is complete");
    };
    assert_eq!((answer.interim, answer.status), (1000, 200));
    check("HTTP/1.1 101 Switching Protocols\r\n\r\n", Err("101"));
}

#[test]
fn folded_fields_are_accepted() {
    let folded = "HTTP/1.1 200 OK\r\nX-Long: one\r\n two\r\nContent-Length: 2\r\n\r\nok";
    check(folded, Ok((200, "ok", true)));
}

#[test]
fn a_stream_that_is_not_http_is_refused_at_its_first_wrong_byte() {
    let mut decoder = Decoder::new();
    for (bytes, named) in [
        (&b"\x15\x03\x03\x00\x02\x02\x46"[..], "TLS"),
        (b"SSH-2.0-OpenSSH", "SSH"),
        (b"\x00\x00\x12\x04\x00\x00", "HTTP/2"),
        (b"HTTP/2 200\r\n", "not HTTP/1: \"HTTP/2 200"),
    ] {
        decoder.start(Expecting::Body, Keep::body(0));
        let Decoded::Invalid(invalid) = decoder.on_bytes(bytes, &mut Buffers::default()) else {
            panic!("{bytes:?} was accepted");
        };
        assert!(invalid.to_string().contains(named), "{invalid}");
    }
}

#[test]
fn a_head_without_end_is_refused_at_its_bound() {
    let mut decoder = Decoder::new();
    decoder.start(Expecting::Body, Keep::body(0));
    assert_eq!(
        decoder.on_bytes(b"HTTP/1.1 200 OK\r\n", &mut Buffers::default()),
        Decoded::Partial
    );
    let field = b"X-Padding: 0123456789012345678901234567890123456789\r\n";
    let mut fed = 0;
    let invalid = loop {
        match decoder.on_bytes(field, &mut Buffers::default()) {
            Decoded::Partial => fed += field.len(),
            Decoded::Invalid(invalid) => break invalid,
            Decoded::Complete(_) => panic!("the head has no end"),
        }
    };
    assert!(matches!(invalid, Invalid::TooManyFields), "{invalid}");
    decoder.start(Expecting::Body, Keep::body(0));
    let mut long = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
    long.resize(HEAD_BYTES_MAX + 1000, b'x');
    assert_eq!(
        decoder.on_bytes(&long, &mut Buffers::default()),
        Decoded::Invalid(Invalid::HeadTooLong)
    );
    assert!(fed < HEAD_BYTES_MAX);
}

#[test]
fn framing_without_end_is_refused_at_its_bound() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (begin, endless, expected) in [
        ("", "0", Invalid::ChunkTooLarge),
        ("1;", "x", Invalid::ChunkExtension),
        ("0\r\nA: ", "x", Invalid::Trailer),
        ("0\r\n", "A: b\r\n", Invalid::Trailer),
    ] {
        let mut decoder = Decoder::new();
        decoder.start(Expecting::Body, Keep::body(0));
        let text = [head, begin, &endless.repeat(HEAD_BYTES_MAX + 1)].concat();
        assert_eq!(
            decoder.on_bytes(text.as_bytes(), &mut Buffers::default()),
            Decoded::Invalid(expected)
        );
    }
}

#[test]
fn a_head_may_have_64_kib_and_no_byte_more() {
    for (bytes, is_read) in [(HEAD_BYTES_MAX, true), (HEAD_BYTES_MAX + 1, false)] {
        let begin = "HTTP/1.1 204 No Content\r\nX: ";
        let padding = "x".repeat(bytes - begin.len() - 4);
        let head = format!("{begin}{padding}\r\n\r\n");
        let decoded = decode(&[head.as_bytes()], Expecting::Body).0;
        assert_eq!(matches!(decoded, Decoded::Complete(_)), is_read, "{bytes}");
    }
}

#[test]
fn the_rest_of_a_head_may_come_with_a_body_of_any_length() {
    let body = "x".repeat(2 * HEAD_BYTES_MAX);
    let text = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    for at in [1, 17, 30] {
        let (begin, rest) = text.as_bytes().split_at(at);
        match decode(&[begin, rest], Expecting::Body).0 {
            Decoded::Complete(answer) => assert_eq!(answer.body_bytes, body.len() as u64),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_status_has_three_digits_and_those_without_a_body_are_few() {
    for status in [599, 205, 203, 305, 600, 999] {
        let text = format!("HTTP/1.1 {status} S\r\nContent-Length: 2\r\n\r\nok");
        check(&text, Ok((status, "ok", true)));
    }
    for status in ["099", "000"] {
        let text = format!("HTTP/1.1 {status} S\r\nContent-Length: 2\r\n\r\nok");
        check(&text, Err("the status is not a number"));
    }
    // The line is cut off before its end.
    check("HTTP/1.1 2x0 OK", Err("the status is not a number"));
}

#[test]
fn lists_are_read_to_their_end() {
    let check_fields = |fields: &str, rest: &str, expected| {
        check(
            &format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{rest}"),
            expected,
        );
    };
    let chunks = "2\r\nok\r\n0\r\n\r\n";
    let coding = "Transfer-Encoding: gzip, chunked";
    check_fields(coding, chunks, Ok((200, "ok", true)));
    let coding = "Transfer-Encoding: chunked, gzip";
    check_fields(coding, chunks, Ok((200, chunks, false)));
    for wrong in ["1:", "1/", "1;", "1a"] {
        let length = format!("Content-Length: {wrong}");
        check_fields(&length, "x", Err("Content-Length is not"));
    }
    let old = "HTTP/1.0 200 OK\r\nConnection: keep-alive, x\r\nContent-Length: 0\r\n\r\n";
    check(old, Ok((200, "", true)));
    let head = b"HTTP/1.1 200 OK\r\nA:  b \t\r\nA: c\r\n\r\n";
    assert_eq!(field(head, "a").as_deref(), Some(&b"b"[..]));
}

#[test]
fn nothing_of_an_answer_is_left_for_the_next_one() {
    let mut decoder = Decoder::new();
    let keep = Keep {
        head: true,
        body_bytes: 8,
    };
    let first = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none";
    decoder.start(Expecting::Body, keep);
    assert!(matches!(
        decoder.on_bytes(first, &mut Buffers::default()),
        Decoded::Complete(_)
    ));
    assert_eq!(decoder.body(), b"one");
    assert_eq!(decoder.head().len(), first.len() - 25 - 3);
    decoder.start(Expecting::Body, Keep::body(8));
    assert_eq!(decoder.phase(), Phase::BeforeHead);
    let second = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nii";
    let Decoded::Complete(answer) = decoder.on_bytes(second, &mut Buffers::default()) else {
        panic!("the answer is complete");
    };
    assert_eq!((answer.interim, answer.body_bytes), (0, 2));
    assert_eq!((decoder.body(), decoder.head()), (&b"ii"[..], &b""[..]));
    // An answer abandoned in the middle of its head.
    decoder.start(Expecting::Body, keep);
    assert_eq!(
        decoder.on_bytes(&first[..9], &mut Buffers::default()),
        Decoded::Partial
    );
    decoder.start(Expecting::Body, keep);
    assert!(matches!(
        decoder.on_bytes(second, &mut Buffers::default()),
        Decoded::Complete(_)
    ));
}

#[test]
fn bytes_after_an_answer_are_left_to_the_caller() {
    let mut decoder = Decoder::new();
    decoder.start(Expecting::Body, Keep::body(8));
    let text = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1";
    let Decoded::Complete(answer) = decoder.on_bytes(text, &mut Buffers::default()) else {
        panic!("the answer is complete");
    };
    assert_eq!(answer.consumed, text.len() - 8);
}

#[test]
fn the_phase_tells_how_far_an_answer_came() {
    let mut decoder = Decoder::new();
    decoder.start(Expecting::Body, Keep::body(8));
    assert_eq!(decoder.phase(), Phase::BeforeHead);
    decoder.on_bytes(b"HTTP/1.1 2", &mut Buffers::default());
    assert_eq!(decoder.phase(), Phase::InHead);
    decoder.on_bytes(
        b"00 OK\r\nContent-Length: 2\r\n\r\n",
        &mut Buffers::default(),
    );
    assert_eq!(decoder.phase(), Phase::InBody);
    decoder.start(Expecting::Body, Keep::body(8));
    decoder.on_bytes(b"HTTP/1.1 103 Early Hints\r\n\r\n", &mut Buffers::default());
    assert_eq!(decoder.phase(), Phase::InHead);
}

#[test]
fn garbage_never_panics_and_every_split_gives_the_same_result() {
    let samples = [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: 1\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 3\r\nA: b\r\n c\r\n\r\nabc",
    ];
    let mut seed = 7u64;
    let mut roll = |below: usize| {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (seed >> 33) as usize % below
    };
    for _ in 0..3_000 {
        let mut bytes = samples[roll(2)].as_bytes().to_vec();
        for _ in 0..1 + roll(3) {
            let at = roll(bytes.len());
            bytes[at] = [b'\r', b'\n', b' ', b':', 0, 255, b'9', b';'][roll(8)];
        }
        let whole = verdict(decode(&[&bytes], Expecting::Body));
        let at = roll(bytes.len());
        let split = verdict(decode(&[&bytes[..at], &bytes[at..]], Expecting::Body));
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        let single = verdict(decode(&single, Expecting::Body));
        assert_eq!(whole, split, "{}", bytes.escape_ascii());
        assert_eq!(whole, single, "{}", bytes.escape_ascii());
    }
}

/// The part of the result that must not depend on the split: the answer, or `None`.
fn verdict((decoded, body): (Decoded, Vec<u8>)) -> Option<(u16, u64, bool, Vec<u8>)> {
    match decoded {
        Decoded::Complete(a) => Some((a.status, a.body_bytes, a.keep_alive, body)),
        Decoded::Partial | Decoded::Invalid(_) => None,
    }
}

#[test]
fn connections_whose_answers_come_one_after_the_other_share_one_buffer() {
    let mut buffers = Buffers::new(2, 65_536);
    let answer = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 65536\r\n\r\n",
        &[b'x'; 65_536][..],
    ];
    let answer = answer.concat();
    let mut decoders: Vec<Decoder> = (0..100).map(|_| Decoder::new()).collect();
    let mut used = None;
    for decoder in &mut decoders {
        decoder.start(Expecting::Body, Keep::body(65_536));
        let decoded = decoder.on_bytes(&answer, &mut buffers);
        assert!(matches!(decoded, Decoded::Complete(_)));
        assert_eq!(decoder.body(), &answer[answer.len() - 65_536..]);
        assert_eq!(
            *used.get_or_insert(decoder.body().as_ptr()),
            decoder.body().as_ptr()
        );
        decoder.give_back(&mut buffers);
    }
    // A decoder in the middle of an answer keeps its buffer; the buffer of a head is returned when the head is
    // complete.
    let (head, body) = answer.split_at(20);
    for decoder in &mut decoders[..2] {
        decoder.start(Expecting::Body, Keep::body(65_536));
        decoder.on_bytes(head, &mut buffers);
        assert_eq!(
            decoder.on_bytes(&body[..100], &mut buffers),
            Decoded::Partial
        );
        assert!(decoder.carry.capacity() == 0 && decoder.body.capacity() > 0);
    }
    assert_ne!(decoders[0].body().as_ptr(), decoders[1].body().as_ptr());
    for decoder in &mut decoders {
        decoder.give_back(&mut buffers);
        let held = [&decoder.head, &decoder.body, &decoder.carry];
        assert!(held.iter().all(|kept| kept.capacity() == 0));
    }
}

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::*;

fn text() -> Vec<u8> {
    let lines = (0..2_000).map(|n| format!("line {n} of a page that repeats itself\n"));
    lines.collect::<String>().into_bytes()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

fn deflate(text: &[u8]) -> [Vec<u8>; 2] {
    let mut with_head = ZlibEncoder::new(Vec::new(), Compression::default());
    let mut bare = DeflateEncoder::new(Vec::new(), Compression::default());
    with_head.write_all(text).expect("memory");
    bare.write_all(text).expect("memory");
    [
        with_head.finish().expect("memory"),
        bare.finish().expect("memory"),
    ]
}

fn decoded(coding: Coding, coded: &[u8]) -> Result<Vec<u8>, Undecodable> {
    let mut decoder = BodyDecoder::default();
    decoder.decode(coding, coded, coded.len() as u64)?;
    Ok(decoder.body().to_vec())
}

#[test]
fn a_body_is_what_it_was_before_it_was_coded() {
    let text = text();
    let mut decoder = BodyDecoder::default();
    // The same decoder again and again, for texts of all lengths.
    for length in [0, 1, 100, text.len(), 10] {
        let text = &text[..length];
        let [with_head, bare] = deflate(text);
        for (coding, coded) in [
            (Coding::Gzip, gzip(text)),
            (
                Coding::Gzip,
                [gzip(&text[..length / 2]), gzip(&text[length / 2..])].concat(),
            ),
            (Coding::Deflate, with_head),
            (Coding::Deflate, bare),
            (Coding::Identity, text.to_vec()),
        ] {
            assert_eq!(decoder.decode(coding, &coded, coded.len() as u64), Ok(()));
            assert_eq!(decoder.body(), text, "{coding} of {length} bytes");
        }
    }
    assert_eq!(decoded(Coding::Gzip, b""), Ok(Vec::new()));
}

#[test]
fn a_head_of_gzip_with_all_its_fields_is_skipped() {
    let plain = gzip(b"text");
    let mut coded = plain[..10].to_vec();
    coded[3] = 2 | 4 | 8 | 16;
    coded.extend(b"\x03\0abcname\0comment\0\x12\x34");
    coded.extend(&plain[10..]);
    assert_eq!(decoded(Coding::Gzip, &coded), Ok(b"text".to_vec()));
}

#[test]
fn a_stream_that_ends_early_is_unfinished_unless_its_end_was_not_kept() {
    let text = &text()[..3_000];
    let [with_head, _] = deflate(text);
    for (coding, coded) in [(Coding::Gzip, gzip(text)), (Coding::Deflate, with_head)] {
        for length in 1..coded.len() {
            let cut = &coded[..length];
            assert_eq!(
                decoded(coding, cut),
                Err(Undecodable::Unfinished(coding)),
                "{length}"
            );
            let mut decoder = BodyDecoder::default();
            assert_eq!(decoder.decode(coding, cut, coded.len() as u64), Ok(()));
            assert!(text.starts_with(decoder.body()));
        }
    }
}

#[test]
fn wrong_bytes_are_an_error_and_never_a_panic() {
    let text = &text()[..3_000];
    let mut coded = gzip(text);
    for at in 0..coded.len() {
        coded[at] ^= 0x55;
        match decoded(Coding::Gzip, &coded) {
            // Times, names and the like are not checked by gzip itself.
            Ok(body) => assert!(at < 10 && body == text, "byte {at}"),
            Err(why) => assert!(matches!(
                why,
                Undecodable::Corrupt(_) | Undecodable::Unfinished(_)
            )),
        }
        coded[at] ^= 0x55;
    }
    let corrupt = Err(Undecodable::Corrupt(Coding::Gzip));
    assert_eq!(decoded(Coding::Gzip, b"{\"a\": 1}"), corrupt);
    assert_eq!(
        decoded(Coding::Gzip, &[gzip(text), b"junk".to_vec()].concat()),
        corrupt
    );
    assert_eq!(decoded(Coding::Other, b"x"), Err(Undecodable::Unknown));
}

#[test]
fn a_body_that_grows_beyond_the_bound_is_too_large() {
    let check = |bytes: usize, expected: Result<usize, Undecodable>| {
        let coded = gzip(&vec![b'0'; bytes]);
        let length = decoded(Coding::Gzip, &coded).map(|body| body.len());
        assert_eq!(length, expected);
    };
    check(DECODED_BYTES_MAX, Ok(DECODED_BYTES_MAX));
    check(DECODED_BYTES_MAX + 1, Err(Undecodable::TooLarge));
    check(50 * DECODED_BYTES_MAX, Err(Undecodable::TooLarge));
    let halves = gzip(&vec![b'0'; DECODED_BYTES_MAX - 1]).repeat(3);
    assert_eq!(decoded(Coding::Gzip, &halves), Err(Undecodable::TooLarge));
}

#[cfg(not(feature = "codings"))]
#[test]
fn a_coding_that_was_not_built_is_told_with_the_cure() {
    for coding in [Coding::Br, Coding::Zstd] {
        let error = decoded(coding, b"x").expect_err("it was not built");
        assert!(error.to_string().contains("--features codings"), "{error}");
    }
}

#[cfg(feature = "codings")]
mod of_other_programs {
    use super::*;

    /// The text of the first two streams.
    const TEXT: &[u8] = b"opsurge opsurge opsurge!";
    /// By Google's `brotli` 1.1 (Python).
    const BR: &[u8] =
        b"\x1b\x17\x00\xf8\x1d\xa9S\x9f;^\xbd\xc1%H\x88\\\x97\x9d\xcd\xd5)E\xf4\x09\x07\xca^\x08";
    /// By `zstd -19`.
    const ZSTD: &[u8] =
        b"(\xb5/\xfd\x04h}\x00\x00Hopsurge\x20!\x01\x00\xbb\xcb\x05\xbd\xca\xf3\xa8";
    /// One byte more than the bound, `0` each time.
    const BR_BOMB: &[u8] = b"\x9b\x00\x00\x10\xf8%`\xe2\xb1@@\xf7\xfe\x01";

    /// A frame of blocks of one repeated byte, 128 KiB each (RFC 8878 section 3.1.1.2).
    fn zstd_bomb() -> Vec<u8> {
        let block = |is_last: u32| {
            let header = is_last | 1 << 1 | (128 * 1024) << 3;
            [&header.to_le_bytes()[..3], b"0"].concat()
        };
        let mut frame = b"\x28\xb5\x2f\xfd\0\x50".to_vec();
        frame.extend(block(0).repeat(9));
        frame.extend(block(1));
        frame
    }

    #[test]
    fn what_other_programs_coded_is_read() {
        for (coding, coded, bomb) in [
            (Coding::Br, BR.to_vec(), BR_BOMB.to_vec()),
            (Coding::Zstd, ZSTD.to_vec(), zstd_bomb()),
        ] {
            assert_eq!(decoded(coding, &coded).as_deref(), Ok(TEXT), "{coding}");
            assert_eq!(
                decoded(coding, &bomb),
                Err(Undecodable::TooLarge),
                "{coding}"
            );
            for length in 1..coded.len() {
                let error = decoded(coding, &coded[..length]).expect_err("it is cut");
                assert_eq!(error, Undecodable::Unfinished(coding), "{length}");
            }
            for at in 0..coded.len() {
                let mut wrong = coded.clone();
                wrong[at] ^= 0x55;
                let _ = decoded(coding, &wrong);
            }
            let behind = [&coded[..], b"junk"].concat();
            assert_eq!(decoded(coding, &behind), Err(Undecodable::Corrupt(coding)));
        }
        let twice = ZSTD.repeat(2);
        assert_eq!(decoded(Coding::Zstd, &twice), Ok(TEXT.repeat(2)));
        // A window of 2 GiB, and a content of 4 GiB in one segment.
        for head in [
            &b"\x28\xb5\x2f\xfd\x04\xa8"[..],
            b"\x28\xb5\x2f\xfd\xa0\0\0\0\xff",
        ] {
            assert_eq!(decoded(Coding::Zstd, head), Err(Undecodable::TooLarge));
        }
    }
}

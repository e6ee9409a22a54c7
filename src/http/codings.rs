//! Brotli and zstd, in builds with the feature `codings`. Both allocate for each body.

use std::io::{ErrorKind, Read};

use brotli_decompressor::Decompressor;
use ruzstd::decoding::StreamingDecoder;

use super::coding::{DECODED_BYTES_MAX, Stop};

/// Bytes of coded input that brotli reads at once.
const INPUT_BYTES: usize = 4 * 1024;
/// Largest window of zstd on the web (RFC 9659): a frame may ask for gigabytes.
const WINDOW_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// First bytes of a zstd frame (RFC 8878 section 3.1.1).
const ZSTD_MAGIC: &[u8] = b"\x28\xb5\x2f\xfd";

/// Appends the decoded bytes of a brotli stream.
pub(super) fn unbrotli(mut coded: &[u8], body: &mut Vec<u8>) -> Result<(), Stop> {
    let mut decompressor = Decompressor::new(&mut coded, INPUT_BYTES);
    match read_bounded(&mut decompressor, body) {
        // A read after the end fails when bytes that were read are left over.
        Ok(()) if decompressor.read(&mut [0]).is_err() => Err(Stop::Corrupt),
        Ok(()) if !coded.is_empty() => Err(Stop::Corrupt),
        Err(Stop::Corrupt) if coded.is_empty() => Err(Stop::Unfinished),
        read => read,
    }
}

/// Appends the decoded bytes of all frames of a zstd stream.
pub(super) fn unzstd(mut coded: &[u8], body: &mut Vec<u8>) -> Result<(), Stop> {
    while !coded.is_empty() {
        check_window(coded)?;
        let frame = StreamingDecoder::new(&mut coded).map_err(|_| Stop::Corrupt)?;
        match read_bounded(frame, body) {
            Err(Stop::Corrupt) if coded.is_empty() => return Err(Stop::Unfinished),
            read => read?,
        }
    }
    Ok(())
}

/// Appends what is read, and one byte more than the bound at most.
fn read_bounded(from: impl Read, body: &mut Vec<u8>) -> Result<(), Stop> {
    let room = DECODED_BYTES_MAX + 1 - body.len();
    match from.take(room as u64).read_to_end(body) {
        _ if body.len() > DECODED_BYTES_MAX => Err(Stop::TooLarge),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(Stop::Unfinished),
        Err(_) => Err(Stop::Corrupt),
    }
}

/// Refuses a frame whose window, which its decoder allocates, is too large (RFC 8878 section 3.1.1.1).
fn check_window(frame: &[u8]) -> Result<(), Stop> {
    const SINGLE_SEGMENT: u8 = 1 << 5;
    let length = frame.len().min(ZSTD_MAGIC.len());
    if frame[..length] != ZSTD_MAGIC[..length] {
        return Err(Stop::Corrupt);
    }
    let descriptor = *frame.get(4).ok_or(Stop::Unfinished)?;
    let rest = &frame[5..];
    let window = match descriptor & SINGLE_SEGMENT {
        0 => {
            let byte = *rest.first().ok_or(Stop::Unfinished)?;
            let base = 1u64 << (10 + (byte >> 3));
            base + base / 8 * u64::from(byte & 7)
        }
        // The window is the whole content, whose length stands behind the dictionary's number.
        _ => {
            let skipped = [0, 1, 2, 4][usize::from(descriptor & 3)];
            let bytes = [1, 2, 4, 8][usize::from(descriptor >> 6)];
            let field = rest.get(skipped..skipped + bytes).ok_or(Stop::Unfinished)?;
            let mut length = [0; 8];
            length[..bytes].copy_from_slice(field);
            u64::from_le_bytes(length)
        }
    };
    match window > WINDOW_BYTES_MAX {
        true => Err(Stop::TooLarge),
        false => Ok(()),
    }
}

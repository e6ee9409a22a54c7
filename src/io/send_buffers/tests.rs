//! Buffers that are handed out once, and short writes at every offset.

use super::*;

#[test]
fn a_buffer_is_not_handed_out_again_before_its_release() {
    let mut buffers = SendBuffers::new(1, 100, Vec::new());
    let mut taken = Vec::new();
    for slot in 0..200 {
        buffers.next()[0] = slot as u8;
        let connection = ConnectionId {
            slot,
            generation: 7,
        };
        taken.push(buffers.take(connection, 1));
    }
    for (slot, &index) in taken.iter().enumerate() {
        assert_eq!(buffers.rest(index), [slot as u8]);
        assert_eq!(buffers.send(index).connection.slot, slot as u32);
        buffers.release(index);
    }
    assert_eq!(buffers.free.len(), buffers.sends.len());
}

#[test]
fn a_short_write_leaves_the_rest() {
    let mut buffers = SendBuffers::new(1, 8, Vec::new());
    buffers.next()[..5].copy_from_slice(b"hello");
    let index = buffers.take(ConnectionId::default(), 5);
    assert!(!buffers.advance(index, 2));
    assert_eq!(buffers.rest(index), b"llo");
    assert!(buffers.advance(index, 3));
}

/// Sends the rendered bytes `a-b` with these inserts, in two short writes of every possible length.
fn check_pieces(inserts: &[Insert], expected: &[u8]) {
    let shared = [&b"SHARED"[..], b"X", b"LONGER STILL"].map(|text| Arc::new(text.to_vec()));
    let mut buffers = SendBuffers::new(1, 8, shared.to_vec());
    for first in 0..=expected.len() {
        for second in first..=expected.len() {
            buffers.next()[..3].copy_from_slice(b"a-b");
            let index = buffers.take_around(ConnectionId::default(), 3, inserts);
            for (from, to) in [(0, first), (first, second)] {
                let is_all = buffers.advance(index, (to - from) as u32);
                assert_eq!(is_all, to == expected.len());
                let pieces = buffers.pieces(index);
                assert!(pieces.as_slice().iter().all(|piece| !piece.is_empty()));
                let left: Vec<u8> = pieces
                    .as_slice()
                    .iter()
                    .flat_map(|it| it.to_vec())
                    .collect();
                assert_eq!(left, expected[to..]);
            }
            buffers.release(index);
        }
    }
}

/// Several requests with bodies of a gigabyte each, as with `--pipeline`. The bytes are never read.
#[test]
fn a_send_may_be_longer_than_4_gib() {
    const SHARED_BYTES: usize = 1 << 30;
    let shared = Arc::new(vec![0; SHARED_BYTES]);
    let mut buffers = SendBuffers::new(1, 8, vec![shared]);
    buffers.next();
    let inserts = [Insert { at: 1, shared: 0 }; INSERTS_MAX];
    let index = buffers.take_around(ConnectionId::default(), 2, &inserts);
    // Most bytes that the kernel takes in one call.
    let at_once = i32::MAX as u32 & !4095;
    let mut left = INSERTS_MAX * SHARED_BYTES + 2;
    while left > 0 {
        let pieces = buffers.pieces(index);
        let lengths = pieces.as_slice().iter().map(|piece| piece.len());
        assert_eq!(lengths.sum::<usize>(), left);
        let bytes = at_once.min(u32::try_from(left).unwrap_or(u32::MAX));
        left -= bytes as usize;
        assert_eq!(buffers.advance(index, bytes), left == 0);
    }
}

#[test]
fn a_short_write_at_every_boundary_leaves_the_rest_of_the_pieces() {
    let insert = |at, shared| Insert { at, shared };
    check_pieces(&[], b"a-b");
    check_pieces(&[insert(3, 0)], b"a-bSHARED");
    check_pieces(&[insert(0, 0)], b"SHAREDa-b");
    check_pieces(
        &[insert(1, 2), insert(1, 1), insert(3, 0)],
        b"aLONGER STILLX-bSHARED",
    );
}

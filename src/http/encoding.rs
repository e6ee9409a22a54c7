//! How values and numbers are written into a request.

/// How a value is written, so that it does not break the syntax around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Byte by byte: the value is known to fit.
    AsIs,
    /// As the inside of a JSON string (RFC 8259 section 7).
    Json,
    /// Percent-encoded, except for unreserved characters (RFC 3986 section 2.3).
    Percent,
}

impl Encoding {
    /// Most bytes that one byte of a value becomes.
    pub(super) fn bytes_per_byte_max(self) -> usize {
        match self {
            Self::AsIs => 1,
            Self::Json => 6,
            Self::Percent => 3,
        }
    }

    /// The encoded text.
    pub fn text(self, value: &str) -> String {
        let mut out = vec![0; value.len() * self.bytes_per_byte_max()];
        let length = self.write(value.as_bytes(), &mut out);
        String::from_utf8_lossy(&out[..length]).into_owned()
    }

    /// Writes the encoded value to the start of `out`; returns its length in bytes.
    #[inline]
    pub fn write(self, value: &[u8], out: &mut [u8]) -> usize {
        match self {
            Self::AsIs => put(value, out),
            Self::Json => write_each(value, out, |byte, out| match byte {
                b'"' | b'\\' => put(&[b'\\', byte], out),
                0..0x20 => {
                    let [high, low] = hex(byte);
                    put(&[b'\\', b'u', b'0', b'0', high, low], out)
                }
                _ => put(&[byte], out),
            }),
            Self::Percent => write_each(value, out, |byte, out| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    put(&[byte], out)
                }
                _ => {
                    let [high, low] = hex(byte);
                    put(&[b'%', high, low], out)
                }
            }),
        }
    }
}

fn write_each(value: &[u8], out: &mut [u8], write: impl Fn(u8, &mut [u8]) -> usize) -> usize {
    value
        .iter()
        .fold(0, |at, &byte| at + write(byte, &mut out[at..]))
}

fn put(bytes: &[u8], out: &mut [u8]) -> usize {
    out[..bytes.len()].copy_from_slice(bytes);
    bytes.len()
}

fn hex(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)])
}

/// Digits of the largest `u64`.
pub const DECIMAL_BYTES_MAX: usize = 20;

/// Writes a number in decimal to the start of `out`; returns its length in bytes.
pub fn write_decimal(mut number: u64, out: &mut [u8]) -> usize {
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

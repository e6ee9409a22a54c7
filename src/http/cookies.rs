//! A user's cookies (RFC 6265), in a fixed number of bytes. Nothing here allocates.
//!
//! All requests of a user go to one host. So a jar keeps no domain but its length: it is the end of that host's name.
//! A cookie that may never be sent is not kept.
//!
//! A jar is entries one after the other, in the order in which the cookies were first set. All numbers are little endian:
//!
//! | bytes | |
//! |---|---|
//! | 2 | length of what follows |
//! | 4 | when it expires, in seconds since 1970; the largest number for never |
//! | 1 | length of its domain |
//! | 2, 2 | lengths of its path and its name |
//! | rest | path, name, value |

use super::cookie_date::parse_date;

/// Bytes of an entry before its texts.
const ENTRY_BYTES: usize = 11;
/// What a request's field has beside the cookies: `Cookie: ` and the line end.
pub const FIELD_BYTES: usize = 10;
const NEVER: u32 = u32::MAX;

/// Where an answer came from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'o> {
    /// Name of the host, in lower case, without the port.
    pub host: &'o str,
    /// Path of the request, its query included or not.
    pub path: &'o [u8],
    /// The connection is encrypted.
    pub is_secure: bool,
    /// Present time in seconds since 1970 (UTC).
    pub now_s: u64,
}

/// The jar has no room for a cookie, expired ones left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// A `Set-Cookie` field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetCookie<'l> {
    /// Its name; not empty.
    pub name: &'l [u8],
    /// Its value, quotes included.
    pub value: &'l [u8],
    max_age_s: Option<i64>,
    expires_s: Option<i64>,
    domain: &'l [u8],
    path: &'l [u8],
    is_secure: bool,
}

/// A cookie in a jar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie<'j> {
    /// Its name.
    pub name: &'j [u8],
    /// Its value.
    pub value: &'j [u8],
    path: &'j [u8],
    expires_s: u32,
    domain_bytes: u8,
}

impl<'l> SetCookie<'l> {
    /// Reads a field's value (RFC 6265 section 5.2). `None`: a user agent ignores it.
    pub fn parse(line: &'l [u8]) -> Option<Self> {
        let mut parts = line.split(|&byte| byte == b';');
        let (name, value) = pair(parts.next()?)?;
        // Other values could not stand in a request, or in JSON.
        let is_text = |text: &[u8]| {
            !text.iter().any(u8::is_ascii_control) && std::str::from_utf8(text).is_ok()
        };
        if name.is_empty() || !is_text(name) || !is_text(value) {
            return None;
        }
        let mut cookie = Self {
            name,
            value,
            ..Self::default()
        };
        for part in parts {
            let (attribute, value) = pair(part).unwrap_or((part.trim_ascii(), b""));
            let is = |name: &str| attribute.eq_ignore_ascii_case(name.as_bytes());
            if is("expires") {
                cookie.expires_s = parse_date(value).or(cookie.expires_s);
            } else if is("max-age") {
                cookie.max_age_s = seconds(value).or(cookie.max_age_s);
            } else if is("domain") && !value.is_empty() {
                cookie.domain = value.strip_prefix(b".").unwrap_or(value);
            } else if is("path") {
                cookie.path = value;
            } else if is("secure") {
                cookie.is_secure = true;
            }
        }
        Some(cookie)
    }

    /// Whether a cookie of an answer from one host is sent to another host too, or to the same one in another way: by its
    /// domain, and over an encrypted connection if it asks for one (RFC 6265 sections 5.3 and 5.4). `to` and `from` are
    /// in lower case. Ports make no difference (section 8.5).
    pub fn is_for(&self, from: &str, to: &str, is_secure: bool) -> bool {
        let reaches = match self.domain.is_empty() {
            true => from == to,
            false => self.domain_bytes(from).is_some() && self.domain_bytes(to).is_some(),
        };
        reaches && (is_secure || !self.is_secure)
    }

    /// When it expires (RFC 6265 section 5.3, step 3): `Max-Age` comes before `Expires`.
    fn expires_s(&self, now_s: u64) -> u32 {
        let now_s = i64::try_from(now_s).unwrap_or(i64::MAX);
        let max_age = self.max_age_s.map(|age_s| match age_s > 0 {
            true => now_s.saturating_add(age_s),
            false => 0,
        });
        match max_age.or(self.expires_s) {
            Some(at_s) => u32::try_from(at_s.max(0)).unwrap_or(NEVER),
            None => NEVER,
        }
    }

    /// Length of its domain, if the host is within it (RFC 6265 sections 5.1.3 and 5.3). A domain without a dot, such as
    /// `com`, is the host itself or is refused.
    fn domain_bytes(&self, host: &str) -> Option<usize> {
        let (host, domain) = (host.as_bytes(), self.domain);
        if domain.is_empty() || host.eq_ignore_ascii_case(domain) {
            return Some(host.len());
        }
        let before = host.len().checked_sub(domain.len() + 1)?;
        let is_end = host[before] == b'.' && host[before + 1..].eq_ignore_ascii_case(domain);
        let is_address = host.contains(&b':') || host.iter().all(|it| !it.is_ascii_alphabetic());
        (is_end && !is_address && domain.contains(&b'.')).then_some(domain.len())
    }
}

fn pair(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = part.iter().position(|&byte| byte == b'=')?;
    Some((part[..at].trim_ascii(), part[at + 1..].trim_ascii()))
}

/// A number of seconds, perhaps negative; the largest for one that is larger (RFC 6265 section 5.2.2).
fn seconds(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let amount = digits.iter().fold(0i64, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'))
    });
    Some(if digits.len() < text.len() {
        -amount
    } else {
        amount
    })
}

/// The path of a cookie without one: the folder of the request's path (RFC 6265 section 5.1.4).
fn default_path(path: &[u8]) -> &[u8] {
    let path = without_query(path);
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(at) if at > 0 && path[0] == b'/' => &path[..at],
        _ => b"/",
    }
}

fn without_query(path: &[u8]) -> &[u8] {
    let end = path.iter().position(|byte| matches!(byte, b'?' | b'#'));
    &path[..end.unwrap_or(path.len())]
}

/// Whether a request's path is within a cookie's (RFC 6265 section 5.1.4).
fn path_matches(of_request: &[u8], of_cookie: &[u8]) -> bool {
    match of_request.strip_prefix(of_cookie) {
        Some([]) => true,
        Some(rest) => of_cookie.ends_with(b"/") || rest[0] == b'/',
        None => false,
    }
}

/// Takes a cookie of an answer into a jar of `length` used bytes; returns the new length (RFC 6265 section 5.3).
///
/// # Errors
/// When it does not fit. A cookie of the same name, domain and path is gone then.
pub fn set(
    jar: &mut [u8],
    length: usize,
    cookie: &SetCookie<'_>,
    from: Origin<'_>,
) -> Result<usize, Full> {
    let Some(domain_bytes) = cookie.domain_bytes(from.host) else {
        return Ok(length);
    };
    // Over a plain connection it could neither be trusted nor sent (RFC 6265bis section 5.7, step 8).
    if cookie.is_secure && !from.is_secure {
        return Ok(length);
    }
    let path = match cookie.path.first() {
        Some(b'/') => cookie.path,
        _ => default_path(from.path),
    };
    let expires_s = cookie.expires_s(from.now_s);
    let mut length = length;
    let mut at = length;
    let known = places(&jar[..length]).find(|(_, it)| {
        it.name == cookie.name && it.path == path && usize::from(it.domain_bytes) == domain_bytes
    });
    if let Some((place, _)) = known.map(|(place, it)| (place, it.name.len())) {
        at = place.start;
        length = remove(jar, length, place);
    }
    if is_over(expires_s, from.now_s) {
        return Ok(length);
    }
    let bytes = ENTRY_BYTES + path.len() + cookie.name.len() + cookie.value.len();
    if length + bytes > jar.len() {
        // The order of the others stays; this one comes last.
        length = remove_expired(jar, length, from.now_s);
        at = length;
    }
    if length + bytes > jar.len() || bytes > usize::from(u16::MAX) || domain_bytes > 255 {
        return Err(Full);
    }
    jar.copy_within(at..length, at + bytes);
    let mut place = &mut jar[at..at + bytes];
    for text in [
        &((bytes - 2) as u16).to_le_bytes()[..],
        &expires_s.to_le_bytes(),
        &[domain_bytes as u8],
        &(path.len() as u16).to_le_bytes(),
        &(cookie.name.len() as u16).to_le_bytes(),
        path,
        cookie.name,
        cookie.value,
    ] {
        let (head, rest) = place.split_at_mut(text.len());
        head.copy_from_slice(text);
        place = rest;
    }
    Ok(length + bytes)
}

fn remove(jar: &mut [u8], length: usize, place: std::ops::Range<usize>) -> usize {
    jar.copy_within(place.end..length, place.start);
    length - place.len()
}

fn remove_expired(jar: &mut [u8], mut length: usize, now_s: u64) -> usize {
    let mut at = 0;
    loop {
        let next = places(&jar[..length]).find(|(place, _)| place.start >= at);
        let Some((place, is_expired)) =
            next.map(|(place, it)| (place, is_over(it.expires_s, now_s)))
        else {
            return length;
        };
        match is_expired {
            true => length = remove(jar, length, place),
            false => at = place.end,
        }
    }
}

fn is_over(expires_s: u32, now_s: u64) -> bool {
    expires_s != NEVER && u64::from(expires_s) <= now_s
}

/// The cookies of a jar, in the order in which they were first set.
pub fn cookies(jar: &[u8]) -> impl Iterator<Item = Cookie<'_>> {
    places(jar).map(|(_, cookie)| cookie)
}

fn places(jar: &[u8]) -> impl Iterator<Item = (std::ops::Range<usize>, Cookie<'_>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let number = |from: usize| usize::from(u16::from_le_bytes([jar[from], jar[from + 1]]));
        if at + ENTRY_BYTES > jar.len() {
            return None;
        }
        let start = at;
        at += 2 + number(start);
        let path = start + ENTRY_BYTES;
        let name = path + number(start + 7);
        let value = name + number(start + 9);
        let expires_s = [2, 3, 4, 5].map(|byte| jar[start + byte]);
        let cookie = Cookie {
            path: &jar[path..name],
            name: &jar[name..value],
            value: &jar[value..at],
            expires_s: u32::from_le_bytes(expires_s),
            domain_bytes: jar[start + 6],
        };
        Some((start..at, cookie))
    })
}

/// The value of a cookie that has not expired, whatever its path; the one with the longest path of several.
pub fn find<'j>(jar: &'j [u8], name: &str, now_s: u64) -> Option<&'j [u8]> {
    let named =
        cookies(jar).filter(|it| it.name == name.as_bytes() && !is_over(it.expires_s, now_s));
    // Of several with the same length, the first one that was set.
    let found = named.reduce(|best, it| match it.path.len() > best.path.len() {
        true => it,
        false => best,
    });
    found.map(|cookie| cookie.value)
}

/// Writes the `Cookie` field of a request with its line end, if there is a cookie to send (RFC 6265 section 5.4): longer
/// paths first, then those that were set earlier. `out` has room for the jar and [`FIELD_BYTES`].
pub fn write_field(jar: &[u8], path: &[u8], now_s: u64, out: &mut [u8]) -> usize {
    let path = without_query(path);
    let fits = |it: &Cookie<'_>| path_matches(path, it.path) && !is_over(it.expires_s, now_s);
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        out[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    let mut is_first = true;
    let mut shorter_than = usize::MAX;
    loop {
        let lengths = cookies(jar).filter(fits).map(|it| it.path.len());
        let Some(longest) = lengths.filter(|&it| it < shorter_than).max() else {
            break;
        };
        for cookie in cookies(jar).filter(|it| it.path.len() == longest && fits(it)) {
            put(if is_first { b"Cookie: " } else { b"; " });
            put(cookie.name);
            put(b"=");
            put(cookie.value);
            is_first = false;
        }
        shorter_than = longest;
    }
    if !is_first {
        put(b"\r\n");
    }
    at
}

#[cfg(test)]
mod tests;

//! URLs of other formats: split, decoded, named.

/// A URL in its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    /// Scheme and authority, as `--host` takes them; `None` when the URL begins with a path or a variable.
    pub origin: Option<String>,
    /// User and password before the host.
    pub userinfo: Option<String>,
    /// Path as it may stand in a scenario: percent-encoded, begins with `/`.
    pub path: String,
    /// Names and values of the query, decoded.
    pub query: Vec<(String, String)>,
}

/// Splits a URL (RFC 3986). One without a scheme is `http://`, as curl takes it. Holes (`{{name}}`) stay; one that begins the
/// URL stands for its host.
pub(super) fn split(url: &str) -> Target {
    let url = url.split('#').next().unwrap_or_default();
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => {
            (Some(scheme.to_ascii_lowercase()), rest)
        }
        _ => (None, url),
    };
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(at);
    let (userinfo, host) = match authority.rsplit_once('@') {
        Some((userinfo, host)) => (Some(userinfo.to_owned()), host),
        None => (None, authority),
    };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let origin = (!host.is_empty() && !host.contains("{{")).then(|| {
        let scheme = scheme.as_deref().unwrap_or("http");
        let port = if scheme == "https" { ":443" } else { ":80" };
        let host = host.strip_suffix(port).unwrap_or(host);
        format!("{scheme}://{}", host.to_ascii_lowercase())
    });
    Target {
        origin,
        userinfo,
        path: if path.is_empty() {
            "/".to_owned()
        } else {
            encoded_path(path)
        },
        query: pairs(query),
    }
}

/// The pairs of a query or a form, decoded.
pub(super) fn pairs(text: &str) -> Vec<(String, String)> {
    let parts = text.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

/// Percent-decoding, with `+` for a blank. What is not UTF-8 is replaced by U+FFFD.
pub(super) fn decoded(text: &str) -> String {
    let text = text.as_bytes();
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let code = text
            .get(at + 1..at + 3)
            .and_then(|code| std::str::from_utf8(code).ok());
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        match (text[at], byte) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                at += 2;
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A path with every character encoded that a request target cannot have (RFC 3986 section 3.3). Holes stay.
pub(super) fn encoded_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(next) = rest.chars().next() {
        let hole = rest.strip_prefix("{{").and_then(|after| after.find("}}"));
        if let Some(end) = hole {
            out += &rest[..end + 4];
            rest = &rest[end + 4..];
            continue;
        }
        let is_code =
            |code: &str| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_kept = match next {
            '%' => rest.get(1..3).is_some_and(is_code),
            _ => next.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/".contains(next),
        };
        let (character, tail) = rest.split_at(next.len_utf8());
        match is_kept {
            true => out += character,
            false => out.extend(character.bytes().map(|byte| format!("%{byte:02X}"))),
        }
        rest = tail;
    }
    match out.starts_with('/') {
        true => out,
        false => format!("/{out}"),
    }
}

/// A path with `[id]` for segments that look like an id (a number, a UUID, a long hexadecimal number), when it has one.
pub(super) fn name_of(path: &str) -> Option<String> {
    let named: Vec<&str> = path
        .split('/')
        .map(|segment| if is_id(segment) { "[id]" } else { segment })
        .collect();
    let named = named.join("/");
    (named != path).then_some(named)
}

fn is_id(segment: &str) -> bool {
    let is_number = !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
    let hex = |c: char| c.is_ascii_hexdigit() || c == '-';
    let has_digit = segment.contains(|c: char| c.is_ascii_digit());
    is_number || segment.len() >= 16 && has_digit && segment.chars().all(hex)
}

//! Links of answers: an absolute URL of the target, an absolute path, or a relative link becomes the path that a later
//! request is sent to.
//!
//! Its percent-encoding stays as it came. A link to a named target goes there; one to another host cannot be followed.

use super::elsewhere::{Named, TargetByte};

/// Longest path and query that a relative link is resolved against, and that it gives, in bytes.
pub const RESOLVED_BYTES_MAX: usize = 2_048;
/// Room for a resolved link.
pub type Room = [u8; RESOLVED_BYTES_MAX];
const OTHER_SCHEME: &str = "leads to a scheme other than http and https";

/// Where links may lead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Host and port of the target, and those of the scenario's own `Host` field.
    authorities: Vec<String>,
    is_secure: bool,
    /// Authorities of the named targets, in their order, and whether they are reached by `https`.
    named: Vec<(String, bool)>,
    /// Takes the number of the target that a link leads to, where there are several.
    byte: Option<TargetByte>,
}

impl Target {
    /// Links may lead to this host too: the scenario's own `Host` field.
    pub fn new(own_host: Option<&str>) -> Self {
        Self {
            authorities: own_host.map(str::to_owned).into_iter().collect(),
            ..Self::default()
        }
    }

    /// Links may lead to these targets too; `byte` takes the number of the one that a link leads to.
    #[must_use]
    pub fn beside(mut self, named: &[Named], byte: Option<TargetByte>) -> Self {
        let parts = named.iter().map(|it| &it.target);
        self.named = parts
            .map(|it| (it.authority.clone(), it.is_https))
            .collect();
        self.byte = byte;
        self
    }

    /// Stores among a user's values where its link leads.
    pub fn store_target(&self, target: usize, values: &mut [u8]) {
        if let Some(byte) = self.byte {
            byte.set(target, values);
        }
    }

    /// Links may lead to this authority.
    pub fn bind(&mut self, authority: &str) {
        if !self.authorities.iter().any(|known| known == authority) {
            self.authorities.push(authority.to_owned());
        }
    }

    /// Whether the target is reached by `https`.
    pub fn set_secure(&mut self, is_secure: bool) {
        self.is_secure = is_secure;
    }

    /// The number of a link's target, and its path and query without the fragment: what a request for it is sent to. A
    /// relative link is resolved against the request that it answers, which went to the target `own` with the path and query
    /// `base`, and dots in paths are removed (RFC 3986 section 5.2); `room` takes the result where it is not a part of the
    /// link.
    ///
    /// # Errors
    /// Why the link cannot be followed, as the end of a sentence.
    pub fn resolve<'l>(
        &self,
        link: &'l [u8],
        own: usize,
        base: &[u8],
        room: &'l mut Room,
    ) -> Result<(usize, &'l [u8]), &'static str> {
        let link = link.trim_ascii();
        let end = link.iter().position(|&byte| byte == b'#');
        let link = &link[..end.unwrap_or(link.len())];
        match after_scheme(link, self.is_secure_at(own))? {
            None => Ok((own, path_from(link, base, room)?)),
            Some((is_secure, rest)) => {
                let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?'));
                let (authority, path) = rest.split_at(end.unwrap_or(rest.len()));
                let target = self.find(is_secure, authority)?;
                let path = match path {
                    [] => b"/",
                    path => path,
                };
                Ok((target, path_from(path, base, room)?))
            }
        }
    }

    /// Whether a target is reached by `https`.
    fn is_secure_at(&self, target: usize) -> bool {
        let named = target.checked_sub(1).and_then(|at| self.named.get(at));
        named.map_or(self.is_secure, |(_, is_secure)| *is_secure)
    }

    /// The number of the target with this authority.
    fn find(&self, is_secure: bool, authority: &[u8]) -> Result<usize, &'static str> {
        let is_it = |own: &str| is_same(own.as_bytes(), authority, is_secure);
        if self.is_secure == is_secure && self.authorities.iter().any(|own| is_it(own)) {
            return Ok(0);
        }
        let mut named = self.named.iter();
        let found = named.position(|(own, secure)| *secure == is_secure && is_it(own));
        match (found, self.named.is_empty(), is_secure) {
            (Some(at), _, _) => Ok(at + 1),
            (None, false, _) => {
                Err("leads to another host, neither the target nor one of [targets]")
            }
            (None, true, true) if !self.is_secure => Err("leads to https, and the target is http"),
            (None, true, false) if self.is_secure => Err("leads to http, and the target is https"),
            _ => Err("leads to another host, and all requests go to the target"),
        }
    }
}

/// The path and query that a link without scheme and host leads to.
fn path_from<'l>(
    path: &'l [u8],
    base: &[u8],
    room: &'l mut Room,
) -> Result<&'l [u8], &'static str> {
    let is_absolute = path.first() == Some(&b'/');
    check_characters(path)?;
    match path {
        [] => Err("is empty"),
        _ if is_absolute && !has_dots(path) => Ok(path),
        _ if is_absolute => joined(b"", path, room),
        _ if base.is_empty() => {
            Err("is relative, and the path of the request is longer than 2,048 bytes")
        }
        [b'?', ..] => joined(path_of(base), path, room),
        _ if first_segment(path).contains(&b':') => Err(OTHER_SCHEME),
        _ => {
            let base = path_of(base);
            let folder = base.iter().rposition(|&byte| byte == b'/');
            joined(&base[..folder.map_or(0, |at| at + 1)], path, room)
        }
    }
}

/// Whether an absolute URL is `https`, and what follows its scheme; `None` for a path. A URL without its scheme has that
/// of the request which it answers, `is_secure`.
fn after_scheme(link: &[u8], is_secure: bool) -> Result<Option<(bool, &[u8])>, &'static str> {
    if let Some(rest) = link.strip_prefix(b"//") {
        return Ok(Some((is_secure, rest)));
    }
    let scheme = link
        .iter()
        .position(|byte| matches!(byte, b':' | b'/' | b'?'));
    let Some((scheme, rest)) = scheme.and_then(|at| {
        let rest = link[at..].strip_prefix(b"://")?;
        Some((&link[..at], rest))
    }) else {
        return Ok(None);
    };
    match scheme.to_ascii_lowercase().as_slice() {
        b"http" => Ok(Some((false, rest))),
        b"https" => Ok(Some((true, rest))),
        _ => Err(OTHER_SCHEME),
    }
}

/// Host and port are compared without their case, and without a port that the scheme has anyway.
fn is_same(own: &[u8], authority: &[u8], is_secure: bool) -> bool {
    let port = match is_secure {
        true => &b":443"[..],
        false => b":80",
    };
    let plain = |authority: &[u8]| authority.strip_suffix(port).unwrap_or(authority).len();
    own[..plain(own)].eq_ignore_ascii_case(&authority[..plain(authority)])
}

/// A path and query without the query.
fn path_of(target: &[u8]) -> &[u8] {
    let end = target.iter().position(|&byte| byte == b'?');
    &target[..end.unwrap_or(target.len())]
}

fn first_segment(path: &[u8]) -> &[u8] {
    let end = path.iter().position(|byte| matches!(byte, b'/' | b'?'));
    &path[..end.unwrap_or(path.len())]
}

/// Whether a segment of the path is `.` or `..`.
fn has_dots(target: &[u8]) -> bool {
    let mut segments = path_of(target).split(|&byte| byte == b'/');
    segments.any(|segment| matches!(segment, b"." | b".."))
}

/// The beginning of a path and a link that goes on from there, with the dots removed.
fn joined<'r>(start: &[u8], link: &[u8], room: &'r mut Room) -> Result<&'r [u8], &'static str> {
    let length = start.len() + link.len();
    if length > room.len() {
        return Err("is longer than 2,048 bytes");
    }
    room[..start.len()].copy_from_slice(start);
    room[start.len()..length].copy_from_slice(link);
    let path = path_of(&room[..length]).len();
    let kept = remove_dots(&mut room[..path]);
    room.copy_within(path..length, kept);
    Ok(&room[..kept + length - path])
}

/// Removes the segments `.` and `..` of an absolute path (RFC 3986 section 5.2.4); returns its new length.
fn remove_dots(path: &mut [u8]) -> usize {
    let (mut read, mut write) = (0, 0);
    while read < path.len() {
        let end = path[read + 1..].iter().position(|&byte| byte == b'/');
        let end = end.map_or(path.len(), |at| read + 1 + at);
        let is_last = end == path.len();
        match &path[read + 1..end] {
            b"." | b".." => {
                if path[read + 1..end] == *b".." {
                    let before = path[..write].iter().rposition(|&byte| byte == b'/');
                    write = before.unwrap_or(0);
                }
                if is_last {
                    path[write] = b'/';
                    write += 1;
                }
            }
            _ => {
                path.copy_within(read..end, write);
                write += end - read;
            }
        }
        read = end;
    }
    if write == 0 {
        path[0] = b'/';
        write = 1;
    }
    write
}

/// Checks that a text is an absolute path, perhaps with a query, that a request can have (RFC 3986 sections 3.3 and 3.4).
///
/// # Errors
/// The reason, as the end of a sentence.
pub fn check(path: &[u8]) -> Result<(), &'static str> {
    if path.first() != Some(&b'/') {
        return Err("is no absolute path, and no URL of the target");
    }
    check_characters(path)
}

fn check_characters(path: &[u8]) -> Result<(), &'static str> {
    let is_allowed =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%[]".contains(byte);
    match path.iter().all(is_allowed) {
        true => Ok(()),
        false => Err("has a blank or another character that a path cannot have"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(authority: &str, is_secure: bool) -> Target {
        let mut target = Target::new(None);
        target.bind(authority);
        target.set_secure(is_secure);
        target
    }

    fn resolved(target: &Target, link: &str, base: &str) -> Result<String, &'static str> {
        let mut room = [0; RESOLVED_BYTES_MAX];
        let path = target.resolve(link.as_bytes(), 0, base.as_bytes(), &mut room);
        path.map(|(_, path)| String::from_utf8_lossy(path).into_owned())
    }

    #[test]
    fn links_of_the_target_are_paths_as_they_came() {
        let target = target("Shop.example:80", false);
        for (link, path) in [
            ("/a?b=%2F%c3#c", "/a?b=%2F%c3"),
            ("http://shop.example/a/../b", "/b"),
            (
                "HTTP://SHOP.EXAMPLE:80/?x=http://other/",
                "/?x=http://other/",
            ),
            ("//shop.example/a", "/a"),
            ("http://shop.example", "/"),
            ("http://shop.example#top", "/"),
            (" /a ", "/a"),
        ] {
            assert_eq!(resolved(&target, link, "/x"), Ok(path.to_owned()), "{link}");
        }
    }

    /// The examples of RFC 3986 sections 5.4.1 and 5.4.2, on the base `http://a/b/c/d;p?q`.
    #[test]
    fn relative_links_are_resolved_as_the_rfc_shows() {
        let target = target("a", false);
        for (link, path) in [
            ("g", "/b/c/g"),
            ("./g", "/b/c/g"),
            ("g/", "/b/c/g/"),
            ("/g", "/g"),
            ("?y", "/b/c/d;p?y"),
            ("g?y", "/b/c/g?y"),
            ("g#s", "/b/c/g"),
            ("g?y#s", "/b/c/g?y"),
            (";x", "/b/c/;x"),
            ("g;x", "/b/c/g;x"),
            ("g;x?y#s", "/b/c/g;x?y"),
            (".", "/b/c/"),
            ("./", "/b/c/"),
            ("..", "/b/"),
            ("../", "/b/"),
            ("../g", "/b/g"),
            ("../..", "/"),
            ("../../", "/"),
            ("../../g", "/g"),
            ("../../../g", "/g"),
            ("../../../../g", "/g"),
            ("/./g", "/g"),
            ("/../g", "/g"),
            ("g.", "/b/c/g."),
            (".g", "/b/c/.g"),
            ("g..", "/b/c/g.."),
            ("..g", "/b/c/..g"),
            ("./../g", "/b/g"),
            ("./g/.", "/b/c/g/"),
            ("g/./h", "/b/c/g/h"),
            ("g/../h", "/b/c/h"),
            ("g;x=1/./y", "/b/c/g;x=1/y"),
            ("g;x=1/../y", "/b/c/y"),
            ("g?y/./x", "/b/c/g?y/./x"),
            ("g?y/../x", "/b/c/g?y/../x"),
        ] {
            assert_eq!(
                resolved(&target, link, "/b/c/d;p?q"),
                Ok(path.to_owned()),
                "{link}"
            );
        }
        assert_eq!(resolved(&target, "g:h", "/b"), Err(OTHER_SCHEME));
        assert_eq!(resolved(&target, "mailto:a", "/b"), Err(OTHER_SCHEME));
        let long = "x".repeat(RESOLVED_BYTES_MAX);
        assert!(resolved(&target, &long, "/b").is_err_and(|it| it.contains("longer")));
        assert!(resolved(&target, "g", "").is_err_and(|it| it.contains("is relative")));
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_refused_with_the_reason() {
        let plain = target("shop.example", false);
        let check = |link: &str, reason: &str| {
            let refused = resolved(&plain, link, "/x").expect_err(link);
            assert!(refused.contains(reason), "{link}: {refused}");
        };
        check("http://other.example/a", "another host");
        check("http://shop.example:8080/a", "another host");
        check("http://shop.example.evil/a", "another host");
        check("http://me@shop.example/a", "another host");
        check("//other/a", "another host");
        check("https://shop.example/a", "to https");
        check("ftp://shop.example/a", "a scheme other than");
        check("", "is empty");
        check("#a", "is empty");
        check("/a b", "a blank");
        check("/a\r\nX-Evil: 1", "a blank");
        check("/caf\u{e9}", "a blank");
        let secure = target("shop.example", true);
        assert_eq!(
            resolved(&secure, "https://shop.example:443/a", "/x"),
            Ok("/a".to_owned())
        );
        assert!(resolved(&secure, "http://shop.example/a", "/x").is_err());
    }

    #[test]
    fn the_hosts_own_name_is_the_target_too() {
        let mut target = Target::new(Some("shop.example"));
        target.bind("127.0.0.1:8000");
        for link in ["http://shop.example/a", "http://127.0.0.1:8000/a"] {
            assert_eq!(resolved(&target, link, "/x"), Ok("/a".to_owned()));
        }
    }

    #[test]
    fn a_link_to_a_named_target_goes_there_and_a_relative_one_stays_with_its_request() {
        let named = [
            ("auth", "http://auth.example:9000"),
            ("pay", "https://pay.example"),
        ];
        let named = named.map(|(name, url)| Named {
            name: name.to_owned(),
            target: super::super::target::Target::parse(url, "targets").expect(url),
        });
        let target = target("shop.example", false).beside(&named, None);
        let leads = |link: &str, own| {
            let mut room = [0; RESOLVED_BYTES_MAX];
            let found = target.resolve(link.as_bytes(), own, b"/a/b", &mut room);
            found.map(|(target, path)| (target, String::from_utf8_lossy(path).into_owned()))
        };
        for (link, own, to, path) in [
            ("http://shop.example/x", 1, 0, "/x"),
            ("http://AUTH.example:9000/login?a=1#b", 0, 1, "/login?a=1"),
            ("https://pay.example:443/../p", 0, 2, "/p"),
            ("//pay.example/p", 2, 2, "/p"),
            ("c", 1, 1, "/a/c"),
            ("/c", 2, 2, "/c"),
        ] {
            assert_eq!(leads(link, own), Ok((to, path.to_owned())), "{link}");
        }
        for link in [
            "http://auth.example/x",
            "https://auth.example:9000/x",
            "http://pay.example/x",
            "//pay.example/x",
            "http://other.example/x",
        ] {
            let refused = leads(link, 0).expect_err(link);
            assert!(
                refused.contains("nor one of [targets]"),
                "{link}: {refused}"
            );
        }
    }
}

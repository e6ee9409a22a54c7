//! Links of answers: an absolute URL of the target, or an absolute path, becomes the path that a later request is sent to.
//!
//! Its percent-encoding stays as it came. A link to another host cannot be followed: all requests of a run go to its target.

/// Where links may lead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Host and port of the target, and those of the scenario's own `Host` field.
    authorities: Vec<String>,
    is_secure: bool,
}

impl Target {
    /// Links may lead to this host too: the scenario's own `Host` field.
    pub fn new(own_host: Option<&str>) -> Self {
        Self {
            authorities: own_host.map(str::to_owned).into_iter().collect(),
            is_secure: false,
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

    /// The path and query of a link, without its fragment.
    ///
    /// # Errors
    /// Why the link cannot be followed, as the end of a sentence.
    pub fn path_of<'l>(&self, link: &'l [u8]) -> Result<&'l [u8], &'static str> {
        let link = link.trim_ascii();
        let end = link.iter().position(|&byte| byte == b'#');
        let link = &link[..end.unwrap_or(link.len())];
        let path = match self.after_scheme(link)? {
            None => link,
            Some(rest) => {
                let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?'));
                let (authority, path) = rest.split_at(end.unwrap_or(rest.len()));
                if !self.is_own(authority) {
                    return Err("leads to another host, and all requests go to the target");
                }
                path
            }
        };
        match path {
            [] if end != Some(0) && !link.is_empty() => Ok(b"/"),
            path => check(path).map(|()| path),
        }
    }

    /// What follows the scheme of an absolute URL; `None` for a path.
    fn after_scheme<'l>(&self, link: &'l [u8]) -> Result<Option<&'l [u8]>, &'static str> {
        if let Some(rest) = link.strip_prefix(b"//") {
            return Ok(Some(rest));
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
        match (scheme.to_ascii_lowercase().as_slice(), self.is_secure) {
            (b"http", false) | (b"https", true) => Ok(Some(rest)),
            (b"http", true) => Err("leads to http, and the target is https"),
            (b"https", false) => Err("leads to https, and the target is http"),
            _ => Err("leads to a scheme other than http and https"),
        }
    }

    /// Host and port are compared without their case, and without a port that the scheme has anyway.
    fn is_own(&self, authority: &[u8]) -> bool {
        let port = match self.is_secure {
            true => &b":443"[..],
            false => b":80",
        };
        let plain = |authority: &[u8]| authority.strip_suffix(port).unwrap_or(authority).len();
        let mut own = self.authorities.iter().map(String::as_bytes);
        own.any(|own| own[..plain(own)].eq_ignore_ascii_case(&authority[..plain(authority)]))
    }
}

/// Checks that a text is a path, perhaps with a query, that a request can have (RFC 3986 sections 3.3 and 3.4).
///
/// # Errors
/// The reason, as the end of a sentence.
pub fn check(path: &[u8]) -> Result<(), &'static str> {
    if path.first() != Some(&b'/') {
        return Err("is no absolute path, and no URL of the target");
    }
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

    #[test]
    fn links_of_the_target_are_paths_as_they_came() {
        let target = target("Shop.example:80", false);
        for (link, path) in [
            ("/a?b=%2F%c3#c", "/a?b=%2F%c3"),
            ("http://shop.example/a/../b", "/a/../b"),
            (
                "HTTP://SHOP.EXAMPLE:80/?x=http://other/",
                "/?x=http://other/",
            ),
            ("//shop.example/a", "/a"),
            ("http://shop.example", "/"),
            ("http://shop.example#top", "/"),
            (" /a ", "/a"),
        ] {
            assert_eq!(
                target.path_of(link.as_bytes()),
                Ok(path.as_bytes()),
                "{link}"
            );
        }
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_refused_with_the_reason() {
        let plain = target("shop.example", false);
        let check = |link: &str, reason: &str| {
            let refused = plain.path_of(link.as_bytes()).expect_err(link);
            assert!(refused.contains(reason), "{link}: {refused}");
        };
        check("http://other.example/a", "another host");
        check("http://shop.example:8080/a", "another host");
        check("http://shop.example.evil/a", "another host");
        check("http://me@shop.example/a", "another host");
        check("//other/a", "another host");
        check("https://shop.example/a", "to https");
        check("ftp://shop.example/a", "a scheme other than");
        check("a/b", "no absolute path");
        check("?a", "no absolute path");
        check("", "no absolute path");
        check("#a", "no absolute path");
        check("/a b", "a blank");
        check("/a\r\nX-Evil: 1", "a blank");
        check("/caf\u{e9}", "a blank");
        let secure = target("shop.example", true);
        assert_eq!(
            secure.path_of(b"https://shop.example:443/a"),
            Ok(&b"/a"[..])
        );
        assert!(secure.path_of(b"http://shop.example/a").is_err());
    }

    #[test]
    fn the_hosts_own_name_is_the_target_too() {
        let mut target = Target::new(Some("shop.example"));
        target.bind("127.0.0.1:8000");
        for link in ["http://shop.example/a", "http://127.0.0.1:8000/a"] {
            assert_eq!(target.path_of(link.as_bytes()), Ok(&b"/a"[..]));
        }
    }
}

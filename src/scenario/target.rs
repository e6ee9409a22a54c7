//! The URL of a service -> where to connect and what to call it. Credentials in a URL are refused and never repeated.

use anyhow::{Context, Result, bail};
use http::Uri;

use super::members;
use super::members::Author;
use crate::text::printable::in_one_line;

/// A service to be tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `http://host:port` or `https://host:port`, as it stands in reports.
    pub url: String,
    /// Its connections are encrypted.
    pub is_https: bool,
    /// Value of the `Host` field (RFC 9110 section 7.2): the port only when it is not the scheme's own.
    pub authority: String,
    /// Name or address without brackets, for the resolver.
    pub host: String,
    /// 80 or 443 when the URL names none.
    pub port: u16,
    /// Path and query, `/` when the URL has none.
    pub path: String,
}

impl Target {
    /// Takes a URL apart. `flag` names where it was given.
    ///
    /// # Errors
    /// With the reason and an example when it is not a URL of a service that can be tested.
    pub fn parse(text: &str, flag: &str) -> Result<Self> {
        let with_scheme = match text.contains("://") {
            true => text.to_owned(),
            false => format!("http://{text}"),
        };
        let shown = shown(text);
        let uri: Uri = with_scheme.parse().with_context(|| {
            match text.contains(char::is_whitespace) {
                true => format!(
                    "{flag} {shown} is not a URL: it has a blank, which a path or query has as %20"
                ),
                false => format!("{flag} {shown} is not a URL; write http://localhost:8000"),
            }
        })?;
        let (scheme, port_of_scheme) = match uri.scheme_str() {
            Some("http") => ("http", 80),
            Some("https") => ("https", 443),
            scheme => bail!(
                "{flag} {shown}: the scheme is {}, not http or https",
                scheme.unwrap_or("missing")
            ),
        };
        let authority = uri.authority().with_context(|| {
            format!("{flag} {shown} names no host; write http://localhost:8000")
        })?;
        if authority.as_str().contains('@') {
            bail!(
                "{flag} {shown} carries credentials; pass them as --header 'Authorization: …' instead"
            );
        }
        let bracketed = authority.host();
        if bracketed.is_empty() {
            bail!("{flag} {shown} names no host; write http://localhost:8000");
        }
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            None if authority.as_str() == bracketed => port_of_scheme,
            None => bail!("{flag} {shown}: the port is not a number from 1 to 65535"),
        };
        if port == 0 {
            bail!("{flag} {shown}: port 0 cannot be connected to; name the service's port");
        }
        let authority = match port == port_of_scheme {
            true => bracketed.to_owned(),
            false => format!("{bracketed}:{port}"),
        };
        Ok(Self {
            url: format!("{scheme}://{bracketed}:{port}"),
            is_https: scheme == "https",
            authority,
            host: bracketed
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port,
            path: uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
        })
    }

    /// The path that is put before those of a scenario: empty, or beginning with `/` and not ending in one.
    pub fn base_path(&self) -> &str {
        self.path.trim_end_matches('/')
    }
}

/// A URL, or what was typed in the place of one, as an error may repeat it: without credentials in it or its query, and
/// no further than to its first space, as in a header that was meant for `--header`.
pub(crate) fn shown(text: &str) -> String {
    let text = in_one_line(&members::mask(text, Author::Other));
    let (scheme, rest) = match text.find("://") {
        Some(at) => text.split_at(at + 3),
        None => ("", &text[..]),
    };
    // A password may have any character, so its end is the last @.
    let (hidden, rest) = match rest.rfind('@') {
        Some(at) => ("…@", &rest[at + 1..]),
        None => ("", rest),
    };
    match rest.find(char::is_whitespace) {
        Some(end) => format!("{scheme}{hidden}{} …", &rest[..end]),
        None => format!("{scheme}{hidden}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&str, &str, u16, &str), &str>) {
        match (Target::parse(text, "--host"), expected) {
            (Ok(target), Ok((authority, host, port, path))) => {
                assert_eq!(target.authority, authority);
                assert_eq!(target.host, host);
                assert_eq!(target.port, port);
                assert_eq!(target.path, path);
            }
            (Err(error), Err(part)) => {
                let error = format!("{error:#}");
                assert!(error.contains(part), "{error}");
                assert!(!error.contains("s3cret"), "{error}");
            }
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn a_url_is_taken_apart() {
        check(
            "http://localhost:8000",
            Ok(("localhost:8000", "localhost", 8000, "/")),
        );
        check(
            "localhost:8000",
            Ok(("localhost:8000", "localhost", 8000, "/")),
        );
        check(
            "http://example.test/",
            Ok(("example.test", "example.test", 80, "/")),
        );
        check(
            "http://[::1]:8000/a?b=c",
            Ok(("[::1]:8000", "::1", 8000, "/a?b=c")),
        );
        check("http://[::1]", Ok(("[::1]", "::1", 80, "/")));
        check(
            "https://localhost/x",
            Ok(("localhost", "localhost", 443, "/x")),
        );
        check(
            "https://localhost:80",
            Ok(("localhost:80", "localhost", 80, "/")),
        );
    }

    #[test]
    fn what_cannot_be_tested_is_refused_with_a_reason() {
        check("ftp://localhost", Err("the scheme is ftp"));
        check("http://", Err("--host http://"));
        check("http://localhost/a b", Err("it has a blank"));
        check("http://local host", Err("is not a URL"));
        check("http://localhost:99999", Err("port"));
        check("http://localhost:0", Err("port 0"));
        check(
            "http://me:s3cret@localhost:8000/x",
            Err("carries credentials"),
        );
        check("http://me:s3cret@local host", Err("is not a URL"));
        check("http://me:a/s3cret@localhost", Err("port"));
        check("Authorization: s3cret", Err("--host Authorization: … is"));
    }
}

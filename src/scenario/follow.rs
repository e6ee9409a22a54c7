//! Redirects that a step follows (RFC 9110 section 15.4).
//!
//! A step that follows N redirects is compiled with steps after it, one or two for each: a GET to the link, and, where the
//! method and the body may have to stay, the same request to the link. A redirect leads to one of them; any other answer
//! passes over those that are left. So each hop has its own template and figures, and a user needs no counter.

use crate::http::request::Slot;
use crate::http::response::field;

use super::links::{RESOLVED_BYTES_MAX, Target};

/// How a step's next redirect is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// The place of the link among the user's values.
    pub link: Slot,
    /// Where links may lead.
    pub target: Target,
    /// How many steps further on the GET to the link is.
    pub get: u16,
    /// The same for the request with the method and the body of the step, where that is another one.
    pub kept: Option<u16>,
    /// The step sends POST: 301 and 302 then mean GET, as browsers do (RFC 9110 sections 15.4.2 and 15.4.3).
    pub is_post: bool,
}

/// Whether a status is a redirect that can be followed.
pub fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

impl Follow {
    /// How many steps further on the answer leads; `None` when it is no redirect.
    pub fn ahead(&self, status: u16) -> Option<u16> {
        if !is_redirect(status) {
            return None;
        }
        let means_get = status == 303 || self.is_post && matches!(status, 301 | 302);
        match (means_get, self.kept) {
            (false, Some(kept)) => Some(kept),
            _ => Some(self.get),
        }
    }

    /// Puts the link of a redirect, of a request to the path `base` of the target `own`, among the user's values.
    ///
    /// # Errors
    /// Why the link cannot be followed, as the end of a sentence about `Location`.
    pub fn take(
        &self,
        head: &[u8],
        own: usize,
        base: &[u8],
        values: &mut [u8],
    ) -> Result<(), &'static str> {
        let location = field(head, "Location").ok_or("is missing")?;
        let mut room = [0; RESOLVED_BYTES_MAX];
        let (target, path) = self.target.resolve(&location, own, base, &mut room)?;
        if path.len() > self.link.bytes_max {
            return Err("is longer than 1,024 bytes");
        }
        self.link.store(path, values);
        self.target.store_target(target, values);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_303_and_a_redirected_post_become_get() {
        let follow = |kept, is_post| Follow {
            link: Slot {
                offset: 0,
                bytes_max: 8,
                fixed: false,
            },
            target: Target::default(),
            get: 1,
            kept,
            is_post,
        };
        let ahead = |kept, is_post| {
            let statuses = [200, 300, 301, 302, 303, 304, 307, 308];
            statuses.map(|status| follow(kept, is_post).ahead(status).unwrap_or(0))
        };
        assert_eq!(ahead(Some(2), true), [0, 0, 1, 1, 1, 0, 2, 2]);
        assert_eq!(ahead(Some(2), false), [0, 0, 2, 2, 1, 0, 2, 2]);
        assert_eq!(ahead(None, false), [0, 0, 1, 1, 1, 0, 1, 1]);
        let mut values = vec![0; 10];
        let head = |location: &str| format!("HTTP/1.1 302 X\r\n{location}\r\n\r\n").into_bytes();
        let mut take = |location| follow(None, true).take(&head(location), 0, b"/", &mut values);
        assert_eq!(take("Location: /a?b"), Ok(()));
        assert_eq!(take("A: b"), Err("is missing"));
        assert!(take("Location: /too/long").is_err_and(|it| it.contains("longer")));
        assert!(take("Location: http://other/").is_err_and(|it| it.contains("another host")));
        assert_eq!(&values[..6], b"\x04\0/a?b");
    }
}

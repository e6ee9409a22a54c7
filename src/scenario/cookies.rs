//! The cookies of a scenario's users: where each user's jar is, and whose cookies it takes.

use crate::http::cookies;
use crate::http::cookies::{Full, Origin, SetCookie};
use crate::http::request::{Slot, Template};
use crate::http::response::each_field;

/// Room for a path that decides where a cookie without a path is sent.
const PATH_BYTES_MAX: usize = 1_024;

/// How a scenario keeps cookies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookies {
    /// The place of a user's jar among its values.
    pub jar: Slot,
    /// The `Host` field of the scenario's requests, where it replaces that of the target.
    pub own_host: Option<String>,
    host: String,
    is_secure: bool,
}

impl Cookies {
    /// Cookies in this jar, of no host before [`Cookies::bind`].
    pub fn new(jar: Slot, own_host: Option<String>) -> Self {
        Self {
            jar,
            own_host,
            host: String::new(),
            is_secure: false,
        }
    }

    /// All requests go to this authority.
    pub fn bind(&mut self, authority: &str) {
        let authority = self.own_host.as_deref().unwrap_or(authority);
        self.host = host_of(authority).to_ascii_lowercase();
    }

    /// Whether connections are encrypted: only then are cookies with `Secure` taken.
    pub fn set_secure(&mut self, is_secure: bool) {
        self.is_secure = is_secure;
    }

    /// Takes the cookies of an answer to a request of this template.
    ///
    /// # Errors
    /// When the jar has no room for one of them; the others are taken.
    pub fn take(
        &self,
        template: &Template,
        head: &[u8],
        now_s: u64,
        values: &mut [u8],
    ) -> Result<(), Full> {
        let mut all = Ok(());
        each_field(head, "set-cookie", |line| {
            let Some(cookie) = SetCookie::parse(line) else {
                return;
            };
            let mut path = [0; PATH_BYTES_MAX];
            let start = template.path_start(values);
            let length = start.len().min(PATH_BYTES_MAX);
            path[..length].copy_from_slice(&start[..length]);
            let from = Origin {
                host: &self.host,
                path: &path[..length],
                is_secure: self.is_secure,
                now_s,
            };
            self.jar.edit(values, |jar, length| {
                cookies::set(jar, length, &cookie, from).unwrap_or_else(|full| {
                    all = Err(full);
                    length
                })
            });
        });
        all
    }
}

/// The host of an authority, without its port and the brackets of an IPv6 address.
fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    authority.split(':').next().unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::Part;

    #[test]
    fn each_cookie_of_an_answer_is_taken_for_the_host_of_the_requests() {
        let jar = Slot {
            offset: 0,
            bytes_max: 80,
            fixed: false,
        };
        let mut of_target = Cookies::new(jar, None);
        of_target.bind("Shop.example.com:8080");
        let mut of_own_host = Cookies::new(jar, Some("shop.example.com".to_owned()));
        of_own_host.bind("127.0.0.1:8080");
        let line = Part::Literal(b"GET /a/b?c HTTP/1.1\r\n".to_vec());
        let template = Template::new(vec![line], None);
        let head = b"HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nA: b\r\nSet-Cookie:  b=2; domain=example.com\r\nSet-Cookie: c=3; domain=x.com\r\n\r\n";
        for cookies in [of_target, of_own_host] {
            let mut values = vec![0; jar.stride()];
            assert_eq!(cookies.take(&template, head, 1, &mut values), Ok(()));
            let sent = |path: &[u8]| {
                let mut out = vec![0; 200];
                let length = cookies::write_field(jar.text(&values), path, 1, &mut out);
                String::from_utf8_lossy(&out[..length]).into_owned()
            };
            assert_eq!(sent(b"/a/x"), "Cookie: a=1; b=2\r\n");
            assert_eq!(sent(b"/x"), "");
            let long = format!(
                "HTTP/1.1 200 OK\r\nSet-Cookie: l={}\r\n\r\n",
                "x".repeat(80)
            );
            let full = cookies.take(&template, long.as_bytes(), 1, &mut values);
            assert_eq!(full, Err(Full));
        }
        assert_eq!(host_of("[::1]:80"), "::1");
    }
}

//! The cookies of a scenario's users: where each user's jars are, and whose cookies they take.
//!
//! A user has a jar for each target. A cookie goes into the jar of every target that it is sent to.

use crate::http::cookies;
use crate::http::cookies::{Full, Origin, SetCookie};
use crate::http::request::{Slot, Template};
use crate::http::response::each_field;

use super::elsewhere::Named;

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
    /// Those of the named targets, in their order.
    named: Vec<OfNamed>,
}

/// The cookies for a named target.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OfNamed {
    jar: Slot,
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
            named: Vec::new(),
        }
    }

    /// The same with a jar for each named target, in their order.
    #[must_use]
    pub fn beside(mut self, named: &[Named], jars: &[Slot]) -> Self {
        let of_named = |(named, jar): (&Named, &Slot)| OfNamed {
            jar: *jar,
            host: named.target.host.to_ascii_lowercase(),
            is_secure: named.target.is_https,
        };
        self.named = named.iter().zip(jars).map(of_named).collect();
        self
    }

    /// The jars of a user.
    pub fn jars(&self) -> impl Iterator<Item = Slot> {
        std::iter::once(self.jar).chain(self.named.iter().map(|it| it.jar))
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

    /// Takes the cookies of an answer to a request of this template that went to a target.
    ///
    /// # Errors
    /// When a jar has no room for one of them; the others are taken.
    pub fn take(
        &self,
        template: &Template,
        target: u16,
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
            let (host, is_secure) = self.origin(target);
            // Over a plain connection it could not be trusted (RFC 6265bis section 5.7, step 8).
            if !cookie.is_for(host, host, is_secure) {
                return;
            }
            let own = (self.jar, &self.host[..], self.is_secure);
            let named = self.named.iter();
            let named = named.map(|it| (it.jar, &it.host[..], it.is_secure));
            for (jar, to, is_secure) in std::iter::once(own).chain(named) {
                if !cookie.is_for(host, to, is_secure) {
                    continue;
                }
                let from = Origin {
                    host: to,
                    path: &path[..length],
                    is_secure,
                    now_s,
                };
                jar.edit(values, |jar, length| {
                    cookies::set(jar, length, &cookie, from).unwrap_or_else(|full| {
                        all = Err(full);
                        length
                    })
                });
            }
        });
        all
    }

    /// Host of a target, and whether its connections are encrypted.
    fn origin(&self, target: u16) -> (&str, bool) {
        let named = usize::from(target).checked_sub(1);
        match named.and_then(|at| self.named.get(at)) {
            Some(named) => (&named.host, named.is_secure),
            None => (&self.host, self.is_secure),
        }
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
            assert_eq!(cookies.take(&template, 0, head, 1, &mut values), Ok(()));
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
            let full = cookies.take(&template, 0, long.as_bytes(), 1, &mut values);
            assert_eq!(full, Err(Full));
        }
        assert_eq!(host_of("[::1]:80"), "::1");
    }
}

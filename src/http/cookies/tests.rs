//! The rules of RFC 6265: what is kept, for how long, and where it is sent.

use super::*;

const NOW_S: u64 = 1_800_000_000;

/// A jar, and the host that its user talks to.
struct Jar {
    bytes: Vec<u8>,
    length: usize,
    host: &'static str,
    is_secure: bool,
}

impl Jar {
    fn at(host: &'static str) -> Self {
        Self {
            bytes: vec![0; 512],
            length: 0,
            host,
            is_secure: false,
        }
    }

    fn secure(mut self) -> Self {
        self.is_secure = true;
        self
    }

    /// Takes a `Set-Cookie` field of the answer to a request of this path.
    fn take(&mut self, path: &str, line: &str) -> Result<(), Full> {
        let Some(cookie) = SetCookie::parse(line.as_bytes()) else {
            return Ok(());
        };
        let from = Origin {
            host: self.host,
            path: path.as_bytes(),
            is_secure: self.is_secure,
            now_s: NOW_S,
        };
        self.length = set(&mut self.bytes, self.length, &cookie, from)?;
        Ok(())
    }

    fn with(mut self, path: &str, lines: &[&str]) -> Self {
        for line in lines {
            self.take(path, line).expect("there is room");
        }
        self
    }

    fn sent(&self, path: &str, now_s: u64) -> String {
        let mut out = vec![0; self.bytes.len() + FIELD_BYTES];
        let length = write_field(&self.bytes[..self.length], path.as_bytes(), now_s, &mut out);
        let field = String::from_utf8(out[..length].to_vec()).expect("text");
        match field.strip_prefix("Cookie: ") {
            Some(rest) => rest.strip_suffix("\r\n").expect("a line end").to_owned(),
            None => field,
        }
    }
}

/// What is sent to `/` after these fields of an answer to `/`.
fn check(lines: &[&str], expected: &str) {
    let jar = Jar::at("shop.example.com").with("/", lines);
    assert_eq!(jar.sent("/", NOW_S), expected, "{lines:?}");
}

#[test]
fn a_cookie_is_sent_as_it_came_without_its_attributes() {
    check(&["foo=bar"], "foo=bar");
    check(&["foo=bar; path=/; HttpOnly; SameSite=Lax"], "foo=bar");
    check(&["  foo  =  bar  ; x"], "foo=bar");
    check(&["foo=\"a b\""], "foo=\"a b\"");
    check(&["foo=a=b=c"], "foo=a=b=c");
    check(&["foo="], "foo=");
    check(&["foo=b,c", "d=e"], "foo=b,c; d=e");
    for ignored in [
        "",
        "foo",
        "=bar",
        " = bar",
        ";",
        "; foo=bar",
        "a\u{1}=b",
        "a=b\u{7f}",
    ] {
        check(&[ignored], "");
    }
}

#[test]
fn a_cookie_of_the_same_name_replaces_and_keeps_its_place() {
    check(&["a=1", "b=2", "a=333"], "a=333; b=2");
    check(&["a=1", "A=2"], "a=1; A=2");
    check(&["a=1; domain=example.com", "a=2"], "a=1; a=2");
    check(&["a=1; domain=shop.example.com", "a=2"], "a=2");
}

#[test]
fn a_cookie_lives_until_its_time_and_max_age_comes_first() {
    check(&["a=1; Max-Age=10"], "a=1");
    check(&["a=1", "a=2; max-age=0"], "");
    check(&["a=1", "a=2; max-age=-5"], "");
    check(&["a=1; max-age=soon"], "a=1");
    check(&["a=1; max-age="], "a=1");
    check(&["a=1; max-age=99999999999999999999"], "a=1");
    check(&["a=1; expires=Thu, 01 Jan 1970 00:00:00 GMT"], "");
    check(&["a=1; expires=never"], "a=1");
    check(
        &["a=1; expires=Thu, 01 Jan 1970 00:00:00 GMT; max-age=9"],
        "a=1",
    );
    check(&["a=1; max-age=9; max-age=0"], "");
    let jar = Jar::at("h").with("/", &["a=1; max-age=10", "b=2"]);
    assert_eq!(jar.sent("/", NOW_S + 9), "a=1; b=2");
    assert_eq!(jar.sent("/", NOW_S + 10), "b=2");
    let found = |now_s| find(&jar.bytes[..jar.length], "a", now_s);
    assert_eq!(
        (found(NOW_S + 9), found(NOW_S + 10)),
        (Some(&b"1"[..]), None)
    );
}

#[test]
fn a_cookie_of_another_domain_is_refused() {
    for domain in [
        "example.com",
        ".example.com",
        "EXAMPLE.com",
        "shop.example.com",
        "",
        ".",
    ] {
        check(&[&format!("a=1; domain={domain}")], "a=1");
    }
    for domain in [
        "com",
        "other.com",
        "ample.com",
        "x.shop.example.com",
        "..example.com",
    ] {
        check(&[&format!("a=1; domain={domain}")], "");
    }
    // The last one counts.
    check(&["a=1; domain=other.com; domain=example.com"], "a=1");
    let sent = |host, domain: &str| {
        let jar = Jar::at(host).with("/", &[&format!("a=1; domain={domain}")]);
        jar.sent("/", NOW_S)
    };
    assert_eq!(sent("127.0.0.1", "127.0.0.1"), "a=1");
    assert_eq!(sent("127.0.0.1", "0.0.1"), "");
    assert_eq!(sent("localhost", "localhost"), "a=1");
}

#[test]
fn a_cookie_is_sent_to_its_path_and_below() {
    let jar = Jar::at("h").with(
        "/shop/cart/add?x=/y/z",
        &[
            "d=1",
            "p=2; path=/shop",
            "s=3; path=/shop/",
            "r=4; path=bad",
        ],
    );
    assert_eq!(jar.sent("/shop/cart", NOW_S), "d=1; r=4; s=3; p=2");
    assert_eq!(jar.sent("/shop/cart/x", NOW_S), "d=1; r=4; s=3; p=2");
    assert_eq!(jar.sent("/shop/cartoon", NOW_S), "s=3; p=2");
    assert_eq!(jar.sent("/shop?a=/cart", NOW_S), "p=2");
    assert_eq!(jar.sent("/shopping", NOW_S), "");
    assert_eq!(jar.sent("/", NOW_S), "");
    for path in ["/a", "/", "", "a/b", "?x"] {
        let jar = Jar::at("h").with(path, &["a=1"]);
        assert_eq!(jar.sent("/b", NOW_S), "a=1", "{path}");
    }
}

#[test]
fn longer_paths_come_first_then_older_cookies() {
    let lines = [
        "a=1; path=/",
        "b=2; path=/x/y",
        "c=3; path=/x",
        "a=4; path=/x/y",
        "d=5; path=/",
    ];
    let jar = Jar::at("h").with("/", &lines);
    assert_eq!(jar.sent("/x/y/z", NOW_S), "b=2; a=4; c=3; a=1; d=5");
    assert_eq!(find(&jar.bytes[..jar.length], "a", NOW_S), Some(&b"4"[..]));
}

#[test]
fn a_secure_cookie_is_kept_only_from_an_encrypted_connection() {
    let lines = ["a=1", "a=2; Secure", "b=3; secure=x"];
    assert_eq!(Jar::at("h").with("/", &lines).sent("/", NOW_S), "a=1");
    assert_eq!(
        Jar::at("h").secure().with("/", &lines).sent("/", NOW_S),
        "a=2; b=3"
    );
}

#[test]
fn a_full_jar_says_so_and_makes_room_of_expired_ones() {
    let mut jar = Jar::at("h");
    jar.take("/", &format!("old={}; max-age=5", "x".repeat(300)))
        .expect("room");
    jar.take("/", "kept=1").expect("room");
    let long = format!("new={}", "y".repeat(300));
    assert_eq!(jar.take("/", &long), Err(Full));
    assert!(jar.sent("/", NOW_S).ends_with("; kept=1"));
    let from = Origin {
        host: "h",
        path: b"/",
        is_secure: false,
        now_s: NOW_S + 5,
    };
    let cookie = SetCookie::parse(long.as_bytes()).expect("a cookie");
    jar.length = set(&mut jar.bytes, jar.length, &cookie, from).expect("the old one is over");
    assert!(jar.sent("/", NOW_S).starts_with("kept=1; new=yyy"));
    assert_eq!(jar.take("/", &format!("n={}", "z".repeat(600))), Err(Full));
}

#[test]
fn arbitrary_fields_neither_panic_nor_break_the_jar() {
    let parts = [
        "a",
        "=",
        ";",
        " ",
        "path=/x",
        "domain=h",
        "max-age=",
        "9",
        "expires=",
        "01 Jan 70 00:00:00",
        "secure",
        "\u{e9}",
        "\"",
        ",",
    ];
    let mut state = 7u64;
    let mut jar = Jar::at("h").secure();
    for _ in 0..4_000 {
        let line: String = (0..12)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                parts[(state >> 33) as usize % parts.len()]
            })
            .collect();
        if jar.take("/", &line).is_err() {
            jar.length = 0;
        }
        let all: usize = places(&jar.bytes[..jar.length])
            .map(|(place, _)| place.len())
            .sum();
        assert_eq!(all, jar.length);
        let sent = jar.sent("/x", NOW_S);
        assert!(!sent.contains(['\r', '\n']), "{sent}");
    }
}

//! Which fields carry secrets, by their names, and what in such a field's value is secret.

/// Anywhere in a name, each of these marks a secret.
const SECRET_PARTS: [&str; 11] = [
    "cookie",
    "token",
    "secret",
    "passw",
    "passphrase",
    "passcode",
    "session",
    "credential",
    "signature",
    "jwt",
    "csrf",
];
/// As whole words, each of these marks a secret.
const SECRET_WORDS: [&str; 6] = ["pwd", "pin", "otp", "sig", "sid", "bearer"];
/// A name that begins so has a key that gives no access.
const PLAIN_KEYS: [&str; 8] = [
    "sort",
    "primary",
    "foreign",
    "partition",
    "public",
    "cache",
    "idempotency",
    "surrogate",
];

/// Whether a field, or a member of a query, a form or JSON, with this name carries a secret: credentials, a key, a
/// token, a session. Case and word separators make no difference.
pub fn is_secret_field(name: &str) -> bool {
    // The lists are ASCII, so other letters cannot match.
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_lowercase();
    if SECRET_PARTS.iter().any(|part| plain.contains(part)) {
        return !plain.contains("tokeniz");
    }
    // `auth` marks a secret, as in `authorization`, but not in `author`.
    let is_auth = |(at, _): (usize, &str)| {
        let rest = &plain[at..];
        !rest.starts_with("author") || rest.starts_with("authori")
    };
    if plain.match_indices("auth").any(is_auth) {
        return true;
    }
    let words = words_of(name);
    let is_key = |word: &String| word.ends_with("key") || word.ends_with("keys");
    let is_plain_key = PLAIN_KEYS
        .iter()
        .any(|plain_key| plain.starts_with(plain_key));
    words
        .iter()
        .any(|word| SECRET_WORDS.contains(&word.as_str()))
        || (words.iter().any(is_key) && !is_plain_key)
}

/// The words of a name in lower case: `apiKey_id` has three.
fn words_of(name: &str) -> Vec<String> {
    let mut spaced = String::with_capacity(2 * name.len());
    let mut was_lower = false;
    for character in name.chars() {
        if was_lower && character.is_ascii_uppercase() {
            spaced.push(' ');
        }
        was_lower = character.is_ascii_lowercase() || character.is_ascii_digit();
        spaced.push(if character.is_ascii_alphanumeric() {
            character.to_ascii_lowercase()
        } else {
            ' '
        });
    }
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// The secrets in such a field's value: the whole value, and the parts that a server may repeat alone, which are the
/// text after an authentication scheme and the values of cookies.
pub fn secrets_of_field(value: &str) -> impl Iterator<Item = &str> {
    let credentials = value.split_once(' ').map(|(_, rest)| rest.trim());
    let cookies = value.split(';').filter_map(|pair| pair.split_once('='));
    let parts = credentials
        .into_iter()
        .chain(cookies.map(|(_, text)| text.trim()));
    std::iter::once(value).chain(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_the_fields_that_bring_them() {
        for name in [
            "Authorization",
            "Set-Cookie",
            "X-Api-Key",
            "X-Auth-Token",
            "X-Session",
            "Proxy-Authenticate",
            "X-Amz-Signature",
            "api_key",
            "apikey",
            "accessKey",
            "key",
            "private_key",
            "passwd",
            "passphrase",
            "db_pwd",
            "client-secret",
            "credentials",
            "oauth_verifier",
            "sessionId",
        ] {
            assert!(is_secret_field(name), "{name}");
        }
        for name in [
            "Accept",
            "X-Team",
            "Content-Type",
            "User-Agent",
            "author",
            "authors",
            "keyboard",
            "sort_key",
            "Idempotency-Key",
            "shipping",
            "signal",
            "tokenizer",
        ] {
            assert!(!is_secret_field(name), "{name}");
        }
        let of = |value| secrets_of_field(value).collect::<Vec<_>>();
        assert_eq!(of("Bearer abcd"), ["Bearer abcd", "abcd"]);
        assert_eq!(of("a=1234"), ["a=1234", "1234"]);
        assert_eq!(of("a=1; b=2")[2..], ["1", "2"]);
    }
}

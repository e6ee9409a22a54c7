//! The command line as the record keeps it: everything that repeats the run, with `***` for what must not be shown.
//!
//! 1. The value of a header whose name says that it is secret, and a body that is typed, are not kept.
//! 2. A URL loses its credentials, and the values of the secret members of its query.
//! 3. What is known to be secret is masked wherever else it stands: the key in the variable of `--api-key-env`, and the
//!    values of secret headers.

use std::sync::OnceLock;

use crate::http::request::is_secret_field;
use crate::scenario::secrets::Secrets;
use crate::session::target::shown;

use super::read::options::shown_variable;

/// What stands for a secret.
const MASK: &str = "***";
/// Name of the variable of the key, unless `--api-key-env` names another.
const API_KEY_ENV: &str = "OPSCORE_API_KEY";

/// What the value of a flag is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Header,
    Body,
    Variable,
    Url,
    Other,
}

/// Flags with values that may hold a secret. All others have no value here: what follows them is judged by itself.
const FLAGS: [(&str, Kind); 8] = [
    ("--header", Kind::Header),
    ("--body", Kind::Body),
    ("--api-key-env", Kind::Variable),
    ("--host", Kind::Url),
    ("--get", Kind::Url),
    ("--url", Kind::Url),
    ("--watch", Kind::Url),
    ("-H", Kind::Url),
];

/// The command line of this process, with the defaults of flags that were not given. It belongs to the process.
static WORDS: OnceLock<Vec<String>> = OnceLock::new();

/// Keeps the command line for records. The first call counts.
pub fn remember(words: Vec<String>) {
    let _ = WORDS.set(words);
}

/// The command line of this process, masked.
pub fn of_process() -> Vec<String> {
    let mut command = vec!["opsurge".to_owned()];
    command.extend(masked_words(WORDS.get().map_or(&[], Vec::as_slice)));
    command
}

/// Words of the command line without their secrets.
pub fn masked_words(words: &[String]) -> Vec<String> {
    let name = value_of(words, "--api-key-env").unwrap_or(API_KEY_ENV);
    let key = std::env::var(name).ok();
    masked(words, key.as_deref())
}

/// The words of a command line without their secrets. `key`: the API key.
fn masked(words: &[String], key: Option<&str>) -> Vec<String> {
    let mut secrets = Secrets::default();
    key.into_iter().for_each(|key| secrets.add(key));
    let headers = pieces(words).filter(|piece| piece.kind == Kind::Header);
    for (name, value) in headers.filter_map(|piece| piece.value.split_once(':')) {
        secrets.add_field(name.trim(), value.trim());
    }
    let shown = pieces(words).map(|piece| {
        let value = of_kind(piece.kind, piece.value);
        format!("{}{}", piece.before, secrets.mask_own(&value))
    });
    shown.collect()
}

/// A word: what stands before its value, such as `--host=`, and the value.
struct Piece<'w> {
    before: &'w str,
    value: &'w str,
    kind: Kind,
}

fn pieces(words: &[String]) -> impl Iterator<Item = Piece<'_>> {
    let mut next = Kind::Other;
    words.iter().map(move |word| {
        let kind = std::mem::replace(&mut next, Kind::Other);
        if kind != Kind::Other {
            return Piece {
                before: "",
                value: word,
                kind,
            };
        }
        let mut flags = FLAGS.iter();
        let flag = flags.find(|(flag, _)| word == flag || is_joined(word, flag));
        let Some((flag, kind)) = flag else {
            return Piece {
                before: "",
                value: word,
                kind: Kind::Other,
            };
        };
        if word == flag {
            next = *kind;
        }
        let (before, value) = word.split_at(flag.len());
        let equals = usize::from(value.starts_with('='));
        Piece {
            before: &word[..before.len() + equals],
            value: &value[equals..],
            kind: *kind,
        }
    })
}

/// `--host=VALUE`, `-HVALUE`.
fn is_joined(word: &str, flag: &str) -> bool {
    let rest = word.strip_prefix(flag);
    rest.is_some_and(|rest| rest.starts_with('=') || !flag.starts_with("--"))
}

fn of_kind(kind: Kind, value: &str) -> String {
    match kind {
        _ if value.is_empty() => String::new(),
        Kind::Header => match value.split_once(':') {
            Some((name, _)) if is_secret_field(name) => format!("{name}: {MASK}"),
            Some(_) => value.to_owned(),
            None => MASK.to_owned(),
        },
        Kind::Body if value.starts_with('@') => value.to_owned(),
        Kind::Body => MASK.to_owned(),
        Kind::Variable if shown_variable(value) == value => value.to_owned(),
        Kind::Variable => MASK.to_owned(),
        Kind::Url => shown(value),
        Kind::Other if value.contains("://") => shown(value),
        Kind::Other => value.to_owned(),
    }
}

/// The value of a flag that is given once.
fn value_of<'w>(words: &'w [String], flag: &str) -> Option<&'w str> {
    let joined = || {
        let mut words = words.iter();
        words.find_map(|word| word.strip_prefix(flag)?.strip_prefix('='))
    };
    let at = words.iter().position(|word| word == flag);
    at.and_then(|at| words.get(at + 1))
        .map(String::as_str)
        .or_else(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn shown_of(command: &[&str]) -> String {
        masked(&words(command), Some("the-key-itself")).join(" ")
    }

    #[test]
    fn what_repeats_the_run_is_kept() {
        let command = "run mixed -H http://localhost:8000/api -u 50 --rate=200 --stage 5:10s --fail-if p99>50ms \
                       --body @body.json --api-key-env STAGING_KEY --watch ops=port:8000 --json run.json";
        let given: Vec<&str> = command.split_whitespace().collect();
        assert_eq!(shown_of(&given), given.join(" "));
        assert_eq!(
            shown_of(&["run", "--header", "X-Team: load", "--header=Accept: a/b"]),
            "run --header X-Team: load --header=Accept: a/b"
        );
    }

    #[test]
    fn secrets_are_masked_and_what_stands_beside_them_is_kept() {
        for (given, expected) in [
            (
                vec!["--header", "Authorization: Bearer abcdef"],
                "--header Authorization: ***",
            ),
            (vec!["--header=X-Api-Key:abcdef"], "--header=X-Api-Key: ***"),
            (vec!["--body", "{\"password\": \"abcdef\"}"], "--body ***"),
            (vec!["--api-key-env", "abc-def"], "--api-key-env ***"),
            (
                vec!["--watch", "r=redis://me:ab/c@d@h:6379/1"],
                "--watch r=redis://…@h:6379/1",
            ),
            (vec!["-Hhttp://me:abcdef@h:80"], "-Hhttp://…@h:80"),
            (
                vec!["--get", "http://h/?token=abcdef&n=1"],
                "--get http://h/?token=***&n=1",
            ),
            (vec!["--junit", "the-key-itself.xml"], "--junit ***.xml"),
        ] {
            assert_eq!(shown_of(&given), expected);
        }
    }

    #[test]
    fn no_drawn_secret_of_any_flag_is_shown() {
        const LETTERS: &[u8] = b"abcXYZ019-_.~+=/!$*',;:@%";
        let mut state = 7_u64;
        let mut drawn = |bound: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize % bound
        };
        for _ in 0..2_000 {
            let length = 6 + drawn(20);
            let secret: String = (0..length)
                .map(|_| char::from(LETTERS[drawn(LETTERS.len())]))
                .collect();
            // A sign that ends a member, or that a decoder changes, does not belong to a query's value.
            let plain: String = secret.chars().filter(char::is_ascii_alphanumeric).collect();
            let query = format!("http://h/p?api_key={plain}s3cret&n=1");
            let (flag, value) = match drawn(9) {
                0 => ("--header", format!("Authorization: Bearer {secret}")),
                1 => ("--header", format!("Cookie: sid={secret}; b=2")),
                2 => ("--body", secret.clone() + "s3cret"),
                3 => ("--watch", format!("redis://:{secret}@127.0.0.1:6379")),
                4 => ("--host", format!("http://me:{secret}@localhost:8000")),
                5 => ("--get", query),
                6 => ("--url", format!("https://{secret}:{secret}@h/p")),
                7 => ("--api-key-env", secret.clone() + "-s3cret"),
                _ => ("--json", format!("{secret}.json")),
            };
            if flag == "--body" && value.starts_with('@') {
                continue;
            }
            let shown = |key: Option<&str>, given: &[String]| masked(given, key).join(" ");
            let apart = [flag.to_owned(), value.clone()];
            let joined = [format!("{flag}={value}")];
            let key = (flag == "--json").then_some(secret.as_str());
            let hidden = match flag {
                "--get" => plain + "s3cret",
                _ => secret.clone(),
            };
            for text in [shown(key, &apart), shown(key, &joined)] {
                assert!(!text.contains(&hidden), "{hidden} in {text}");
            }
        }
    }
}

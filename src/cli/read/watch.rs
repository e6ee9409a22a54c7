//! `--watch`: what is watched beside the run.

use anyhow::{Result, anyhow, bail};

use crate::machine::watched::find::What;
use crate::machine::watched::redis::Address;
use crate::session::watched::list::{Subject, Watch, WatchList};

/// Leaves the target's port out.
const NONE: &str = "none";
const REDIS: &str = "redis://";

/// Reads all of them.
///
/// # Errors
/// The first that cannot be meant, with the forms that can. The address of a Redis is not repeated: it may hold a password.
pub fn list(texts: &[String]) -> Result<WatchList> {
    let watches = texts.iter().filter(|text| *text != NONE);
    Ok(WatchList {
        watches: watches.map(|text| watch(text)).collect::<Result<_>>()?,
        has_target: !texts.iter().any(|text| text == NONE),
    })
}

fn watch(text: &str) -> Result<Watch> {
    let (name, what) = match text.split_once('=') {
        // A password may hold the sign, and so may a path.
        Some((name, what)) if !name.contains([':', '/']) => (Some(name.trim()), what),
        _ => (None, text),
    };
    if name.is_some_and(str::is_empty) || what.is_empty() {
        bail!("--watch: give [NAME=]WHAT, for example --watch ops-core=port:8000");
    }
    Ok(Watch {
        name: name.map(str::to_owned),
        subject: subject(what)?,
    })
}

fn subject(what: &str) -> Result<Subject> {
    let number = |text: &str, most: u64| {
        let number = text.parse::<u64>().ok();
        number.filter(|number| (1..=most).contains(number))
    };
    if what.starts_with(REDIS) {
        let address =
            Address::parse(what).map_err(|reason| anyhow!("--watch {REDIS}…: {reason}"))?;
        return Ok(Subject::Redis(address));
    }
    Ok(Subject::Processes(
        if let Some(port) = what.strip_prefix("port:") {
            let port = number(port, u16::MAX.into());
            let port = port.ok_or_else(|| {
                anyhow!(
                    "--watch {what}: a port is a number from 1 to 65,535, for example port:8000"
                )
            })?;
            What::Port(port as u16, None)
        } else if let Some(path) = what.strip_prefix("cgroup:") {
            if path.is_empty() {
                bail!(
                    "--watch {what}: name the group, for example cgroup:/system.slice/redis.service"
                );
            }
            What::Cgroup(path.into())
        } else if what.bytes().all(|byte| byte.is_ascii_digit()) {
            let pid = number(what, i32::MAX as u64);
            let pid = pid.ok_or_else(|| {
                anyhow!("--watch {what}: no process has this id; port:N names a port")
            })?;
            What::Pid(pid as i32)
        } else if what.contains("://") {
            bail!(
                "--watch: of URLs only redis://HOST:PORT is understood; port:N watches a service of this machine"
            );
        } else {
            What::Name(what.to_owned())
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Watch {
        let list = list(&[text.to_owned()]).expect("it is understood");
        assert!(list.has_target);
        list.watches.into_iter().next().expect("one")
    }

    #[test]
    fn every_form_is_understood_with_a_name_and_without() {
        let check = |text: &str, expected: What| {
            let subject = Subject::Processes(expected);
            assert_eq!(one(text).subject, subject, "{text}");
            let named = one(&format!("db={text}"));
            assert_eq!(
                (named.name.as_deref(), named.subject),
                (Some("db"), subject)
            );
        };
        check("4711", What::Pid(4711));
        check("port:8000", What::Port(8000, None));
        check("nginx", What::Name("nginx".into()));
        check("cgroup:/a=b", What::Cgroup("/a=b".into()));
        let redis = one("redis://:a=b@localhost/1");
        assert_eq!(redis.name, None);
        assert_eq!(redis.subject.shown(), "redis localhost:6379");
        assert_eq!(one("cache=redis://h:7").name.as_deref(), Some("cache"));
    }

    #[test]
    fn none_leaves_the_target_out_and_keeps_what_is_named() {
        let of = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            list(&texts).expect("understood")
        };
        assert!(!of(&["none"]).has_target);
        let both = of(&["none", "nginx"]);
        assert_eq!((both.watches.len(), both.has_target), (1, false));
        assert!(of(&[]).has_target);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_without_its_secrets() {
        let refused = |text: &str| {
            let reason = list(&[text.to_owned()]).expect_err(text);
            format!("{reason:#}")
        };
        assert!(refused("port:0").contains("from 1 to 65,535"));
        assert!(refused("port:http").contains("for example port:8000"));
        assert!(refused("=80").contains("[NAME=]WHAT"));
        assert!(refused("db=").contains("[NAME=]WHAT"));
        assert!(refused("cgroup:").contains("name the group"));
        assert!(refused("99999999999").contains("no process has this id"));
        let secret = refused("redis://:hush@host:port");
        assert!(
            secret.contains("redis://[user") && !secret.contains("hush"),
            "{secret}"
        );
        assert!(!refused("http://u:hush@h").contains("hush"));
    }
}

//! `--fault NAME=…`: what is asked of the stand-in, read and checked.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::mock::{Fault, FaultPlan, HandshakeFault, Recurring, TlsConfig};
use crate::text::duration;
use crate::text::suggest::did_you_mean;
use crate::text::units::percent;

/// Shares that were typed as decimals may add up to a hair more than 100 %.
const SHARE_SLACK: f64 = 1e-9;

/// Reads all of them.
///
/// # Errors
/// With the flag as it was typed, what is wrong with it, and what would do instead.
pub fn parse(texts: &[String], seed: u64) -> Result<FaultPlan> {
    let mut plan = FaultPlan {
        seed,
        ..FaultPlan::default()
    };
    let mut given: Vec<&str> = Vec::new();
    for text in texts {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        if given.contains(&name) {
            bail!("--fault {text}: {name} is given twice; leave one of the two out");
        }
        given.push(name);
        add(&mut plan, name, value).with_context(|| format!("--fault {text}"))?;
    }
    let sum: f64 = plan.shares.iter().map(|(_, share)| share).sum();
    if sum > 1.0 + SHARE_SLACK {
        bail!(
            "--fault: the shares add up to {}; a request meets one fault at most, so keep them within 100 %",
            percent(sum)
        );
    }
    Ok(plan)
}

/// Reads `--tls-fault`.
///
/// # Errors
/// As [`parse`].
pub fn parse_tls(texts: &[String]) -> Result<TlsConfig> {
    let mut config = TlsConfig::default();
    for text in texts {
        let (name, value) = text.split_once('=').unwrap_or((text, "100%"));
        match (
            name,
            HandshakeFault::ALL.iter().find(|it| it.name() == name),
        ) {
            ("expired", _) => config.is_expired = true,
            ("no-resume", _) => config.refuses_tickets = true,
            (_, Some(fault)) => {
                let share = share(value, &format!("{name}=1%"));
                let share = share.with_context(|| format!("--tls-fault {text}"))?;
                config.shares.push((*fault, share));
            }
            (_, None) => {
                let names = HandshakeFault::ALL.map(HandshakeFault::name);
                let all = || names.into_iter().chain(["expired", "no-resume"]);
                bail!(
                    "--tls-fault {text}: there is no such fault{} There are {}",
                    did_you_mean(name, all()),
                    all().collect::<Vec<_>>().join(", ")
                );
            }
        }
    }
    let sum: f64 = config.shares.iter().map(|(_, share)| share).sum();
    if sum > 1.0 + SHARE_SLACK {
        bail!(
            "--tls-fault: the shares add up to {} %; a connection meets one fault at most, so keep them within 100 %",
            (sum * 1e4).round() / 1e2
        );
    }
    Ok(config)
}

fn add(plan: &mut FaultPlan, name: &str, value: &str) -> Result<()> {
    match name {
        "stall" => plan.stall = Some(recurring(value, "stall=2s/10s")?),
        "refuse" => plan.refuse = Some(recurring(value, "refuse=2s/10s")?),
        "delay" => {
            let (time, share) = match value.split_once(':') {
                Some((time, part)) => (time, share(part, "delay=200ms:5%")?),
                None => (value, 1.0),
            };
            plan.delay = duration::parse(time)?;
            plan.shares.push((Fault::Delay, share));
        }
        _ => match Fault::ALL.iter().find(|fault| fault.name() == name) {
            Some(fault) => plan
                .shares
                .push((*fault, share(value, &format!("{name}=1%"))?)),
            None => {
                let names = Fault::ALL.map(Fault::name);
                let all = || names.into_iter().chain(["stall", "refuse"]);
                bail!(
                    "there is no fault \"{name}\"{} There are {}",
                    did_you_mean(name, all()),
                    all().collect::<Vec<_>>().join(", ")
                );
            }
        },
    }
    Ok(())
}

/// `1%`
fn share(text: &str, example: &str) -> Result<f64> {
    let percent: Option<f64> = text
        .strip_suffix('%')
        .and_then(|digits| digits.trim().parse().ok());
    match percent {
        Some(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        _ => bail!(
            "\"{text}\" is not a share of the requests from 0% to 100%; write for example {example}"
        ),
    }
}

/// `2s/10s`
fn recurring(text: &str, example: &str) -> Result<Recurring> {
    let Some((lasts, every)) = text.split_once('/') else {
        bail!("\"{text}\" is not a time in every time; write for example {example}");
    };
    let (lasts, every) = (duration::parse(lasts)?, duration::parse(every)?);
    if lasts == Duration::ZERO || lasts >= every {
        bail!("it has to last longer than 0 and less than its period; write for example {example}");
    }
    Ok(Recurring { lasts, every })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read() {
        let texts = ["reset-in-body=1%", "delay=200ms:5%", "stall=2s/10s"].map(String::from);
        let plan = parse(&texts, 3).expect("it is right");
        let s = Duration::from_secs;
        let expected = FaultPlan {
            seed: 3,
            shares: vec![(Fault::ResetInBody, 0.01), (Fault::Delay, 0.05)],
            delay: Duration::from_millis(200),
            stall: Some(Recurring {
                lasts: s(2),
                every: s(10),
            }),
            refuse: None,
        };
        assert_eq!(plan, expected);
        let whole = parse(&["delay=1s".into()], 3).expect("it is right");
        assert_eq!(whole.shares, [(Fault::Delay, 1.0)]);
    }

    #[test]
    fn faults_of_handshakes_are_read_by_name_and_share() {
        let texts = ["alert=5%", "slow-handshake", "expired", "no-resume"].map(String::from);
        let error = format!("{:#}", parse_tls(&texts).expect_err("too many"));
        assert!(error.contains("add up to 105 %"), "{error}");
        let config = parse_tls(&texts[..1]).expect("it is right");
        assert_eq!(config.shares, [(HandshakeFault::Alert, 0.05)]);
        assert!(!config.is_expired && !config.refuses_tickets);
        let config = parse_tls(&texts[2..]).expect("it is right");
        assert!(config.is_expired && config.refuses_tickets);
        let error = format!(
            "{:#}",
            parse_tls(&["alrt".into()]).expect_err("no such fault")
        );
        assert!(error.contains("did you mean \"alert\"?"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_cure() {
        let check = |texts: &[&str], part: &str| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            let error = format!("{:#}", parse(&texts, 1).expect_err("it is wrong"));
            assert!(error.contains(part), "{error}");
            assert!(error.starts_with("--fault"), "{error}");
        };
        check(&["reset-in-bdy=1%"], "did you mean \"reset-in-body\"?");
        check(&["stal=1s/2s"], "did you mean \"stall\"?");
        check(&["garbage"], "write for example garbage=1%");
        check(&["garbage=1"], "write for example garbage=1%");
        check(&["garbage=101%"], "from 0% to 100%");
        check(&["garbage=-1%"], "from 0% to 100%");
        check(&["garbage=NaN%"], "from 0% to 100%");
        check(&["delay=5%"], "delay=5%");
        check(&["delay=1s:5"], "write for example delay=200ms:5%");
        check(&["stall=2s"], "write for example stall=2s/10s");
        check(&["stall=2s/2s"], "less than its period");
        check(&["refuse=0/2s"], "longer than 0");
        check(&["garbage=1%", "garbage=2%"], "given twice");
        check(&["garbage=60%", "no-answer=50%"], "add up to 110 %");
    }
}

//! `--web`, `--web-control`, `--web-linger`: the live page.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};

use crate::cli::args::WebArgs;
use crate::session::job::Web;

use super::values::time;

/// How long the page stays after the run: two scrapes of Prometheus at its usual 15 s.
const LINGER: Duration = Duration::from_secs(30);
/// Longest time that it may stay.
const LINGER_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Reads the flags; `None` without `--web`.
///
/// # Errors
/// With the flag and what would do instead.
pub fn read(args: &WebArgs) -> Result<Option<Web>> {
    let Some(text) = &args.web else {
        return Ok(None);
    };
    let linger = time("--web-linger", args.web_linger.as_deref())?.unwrap_or(LINGER);
    if linger > LINGER_MAX {
        bail!("--web-linger: a day is the longest; give for example 10m");
    }
    Ok(Some(Web {
        address: address(text)?,
        has_control: args.web_control,
        linger,
    }))
}

/// `8089`, `127.0.0.1:8089`, `[::1]:8089` or `localhost:8089`: other names could lead anywhere.
fn address(text: &str) -> Result<SocketAddr> {
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let port = text.strip_prefix("localhost:").unwrap_or(text);
    if let Ok(port) = port.parse() {
        return Ok(SocketAddr::new(local, port));
    }
    text.parse().map_err(|_| {
        anyhow!(
            "--web {text}: give a port of this machine, or an address with its port, for example --web 8089 or --web \
             0.0.0.0:8089"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_on_loopback_and_other_interfaces_are_named() {
        for (text, expected) in [
            ("8089", "127.0.0.1:8089"),
            ("0", "127.0.0.1:0"),
            ("localhost:8089", "127.0.0.1:8089"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:8089", "[::1]:8089"),
        ] {
            let address = address(text).expect("an address");
            assert_eq!(address.to_string(), expected, "{text}");
        }
        for text in [
            "",
            "x",
            "70000",
            ":8089",
            "example.com:80",
            "127.0.0.1",
            "-1",
        ] {
            let error = address(text).expect_err("no address").to_string();
            assert!(error.contains("--web 8089"), "{error}");
        }
    }
}

//! `--cacert`, `--cert`, `--key`, `--insecure` and the other flags of TLS, read; and `--resolve`.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::cli::args::TlsArgs;
use crate::session::key_log::KeyLogFile;
use crate::session::resolved::Resolved;
use crate::session::target::shown;
use crate::session::tls::TlsOptions;
use crate::wire::Version;

/// What the flags say of TLS.
///
/// # Errors
/// With the flag, what is wrong with it, and what would do instead.
pub fn tls(args: &TlsArgs) -> Result<TlsOptions> {
    let given = [
        ("--cacert", args.cacert.is_some()),
        ("--cert", args.cert.is_some()),
        ("--key", args.key.is_some()),
        ("--insecure", args.insecure),
        ("--server-name", args.server_name.is_some()),
        ("--tls-resume", args.tls_resume.is_some()),
        ("--tls-max", args.tls_max.is_some()),
        ("--ciphers", args.ciphers.is_some()),
        ("--keylog", args.keylog.is_some()),
    ];
    if args.insecure && args.cacert.is_some() {
        bail!(
            "--insecure accepts every certificate, and --cacert says which; leave one of the two out"
        );
    }
    let identity = match (&args.cert, &args.key) {
        (None, None) => None,
        (Some(cert), Some(key)) => Some((certificates("--cert", cert)?, private_key(key)?)),
        (Some(_), None) => bail!("--cert needs the key that belongs to it; add --key FILE"),
        (None, Some(_)) => bail!("--key needs the certificate that it belongs to; add --cert FILE"),
    };
    let key_log = args.keylog.as_deref().map(|path| {
        let log = KeyLogFile::open(path);
        log.with_context(|| format!("--keylog {} cannot be written", path.display()))
    });
    let list = args
        .ciphers
        .as_deref()
        .unwrap_or_default()
        .split([',', ':']);
    let names = list.map(str::trim).filter(|name| !name.is_empty());
    Ok(TlsOptions {
        roots: args
            .cacert
            .as_deref()
            .map(|path| certificates("--cacert", path))
            .transpose()?,
        identity,
        is_insecure: args.insecure,
        server_name: args.server_name.clone(),
        resumes: match args.tls_resume.as_deref() {
            None | Some("on") => true,
            Some("off") => false,
            Some(other) => bail!("--tls-resume {}: give on or off", shown(other)),
        },
        version_max: match args.tls_max.as_deref() {
            None | Some("1.3") => Version::Tls13,
            Some("1.2") => Version::Tls12,
            Some(other) => bail!("--tls-max {}: give 1.2 or 1.3", shown(other)),
        },
        ciphers: names.map(str::to_ascii_uppercase).collect(),
        key_log: match key_log.transpose()? {
            Some(log) => Some(Arc::new(log)),
            None => None,
        },
        given: given.iter().find(|(_, is)| *is).map(|(flag, _)| *flag),
    })
}

/// `HOST:PORT:ADDRESS`, as with curl; an IPv6 address may stand in brackets.
///
/// # Errors
/// With an example.
pub fn resolved(args: &TlsArgs) -> Result<Vec<Resolved>> {
    let read = |text: &String| {
        let wrong = || {
            anyhow!(
                "--resolve {}: give HOST:PORT:ADDRESS, for example --resolve service.example:443:127.0.0.1",
                shown(text)
            )
        };
        let mut parts = text.splitn(3, ':');
        let (Some(host), Some(port), Some(address)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let address = address.trim_start_matches('[').trim_end_matches(']');
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        match port.parse() {
            Ok(port) if !host.is_empty() && port > 0 => Ok(Resolved {
                host: host.to_ascii_lowercase(),
                port,
                address,
            }),
            _ => Err(wrong()),
        }
    };
    args.resolve.iter().map(read).collect()
}

/// All certificates of a file.
fn certificates(flag: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let text =
        std::fs::read(path).with_context(|| format!("{flag} {} cannot be read", path.display()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => bail!(
            "{flag} {} holds no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----; \
             openssl x509 -inform der -in FILE makes one of a binary file",
            path.display()
        ),
    }
}

/// The first private key of a file. No error repeats what is in it.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let text =
        std::fs::read(path).with_context(|| format!("--key {} cannot be read", path.display()))?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
        anyhow!(
            "--key {} holds no private key in PEM (PKCS#8, PKCS#1 or SEC1); a key with a password is decrypted by openssl pkey -in FILE",
            path.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> TlsArgs {
        TlsArgs::default()
    }

    fn refused(args: &TlsArgs) -> String {
        format!("{:#}", tls(args).expect_err("it does not fit"))
    }

    #[test]
    fn nothing_given_is_the_default() {
        let options = tls(&args()).expect("nothing is wrong with nothing");
        assert!(options.resumes && !options.is_insecure && options.given.is_none());
        assert_eq!(options.version_max, Version::Tls13);
    }

    #[test]
    fn flags_that_contradict_each_other_are_refused() {
        let file = || Some("/dev/null".into());
        let insecure = TlsArgs {
            insecure: true,
            cacert: file(),
            ..args()
        };
        assert!(refused(&insecure).contains("leave one of the two out"));
        let cert = TlsArgs {
            cert: file(),
            ..args()
        };
        assert!(refused(&cert).contains("add --key"));
        let key = TlsArgs {
            key: file(),
            ..args()
        };
        assert!(refused(&key).contains("add --cert"));
        let roots = TlsArgs {
            cacert: file(),
            ..args()
        };
        assert!(refused(&roots).contains("no certificate in PEM"));
        let version = TlsArgs {
            tls_max: Some("1.1".into()),
            ..args()
        };
        assert!(refused(&version).contains("give 1.2 or 1.3"));
        let resume = TlsArgs {
            tls_resume: Some("maybe".into()),
            ..args()
        };
        assert!(refused(&resume).contains("give on or off"));
    }

    #[test]
    fn names_are_resolved_by_hand_as_with_curl() {
        let check = |text: &str, expected: Option<(&str, u16, &str)>| {
            let args = TlsArgs {
                resolve: vec![text.to_owned()],
                ..args()
            };
            match (resolved(&args), expected) {
                (Ok(found), Some((host, port, address))) => {
                    assert_eq!((&found[0].host[..], found[0].port), (host, port));
                    assert_eq!(found[0].address.to_string(), address);
                }
                (Err(error), None) => {
                    assert!(error.to_string().contains("HOST:PORT:ADDRESS"), "{error}");
                }
                (found, _) => panic!("{text}: {found:?}"),
            }
        };
        check("A.test:443:127.0.0.1", Some(("a.test", 443, "127.0.0.1")));
        check("a.test:443:[::1]", Some(("a.test", 443, "::1")));
        check("a.test:443:::1", Some(("a.test", 443, "::1")));
        for wrong in [
            "a.test",
            "a.test:443",
            "a.test:x:1.1.1.1",
            ":443:1.1.1.1",
            "a:1:b",
        ] {
            check(wrong, None);
        }
    }
}

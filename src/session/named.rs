//! The named targets of a scenario: tried before the load like the target of the run, each with the same flags.

use anyhow::{Context, Result, anyhow};
use socket2::SockAddr;

use crate::io::{Sockets, socket};
use crate::record::schema::TargetRecord;
use crate::scenario::elsewhere::Named;
use crate::wire::TlsClient;
use crate::wire::session::Agreed;

use super::connecting::Connecting;
use super::target::Target;
use super::tls;
use super::tls::TlsOptions;

/// A named target that accepts connections.
#[derive(Debug)]
pub struct Reached {
    /// Its name in the scenario.
    pub name: String,
    /// Its URL.
    pub url: String,
    /// Its addresses.
    pub addresses: Vec<SockAddr>,
    /// What a first handshake led to; `None` in plain text.
    pub agreed: Option<Agreed>,
}

impl Reached {
    /// As a record has it.
    pub fn record(&self) -> TargetRecord {
        TargetRecord {
            name: self.name.clone(),
            url: self.url.clone(),
            addresses: self.addresses.iter().map(socket::shown).collect(),
            tls: self.agreed.as_ref().map(agreed_shown),
        }
    }

    /// `auth: http://127.0.0.1:9000, in plain text`.
    pub fn shown(&self) -> String {
        let tls = self.agreed.as_ref().map(agreed_shown);
        let tls = tls.unwrap_or_else(|| "in plain text".to_owned());
        format!("{}: {}, {tls}", self.name, self.url)
    }
}

fn agreed_shown(agreed: &Agreed) -> String {
    format!("{} {}", agreed.version, agreed.cipher)
}

/// Tries a connection to each named target, through TCP: `--unix-socket` is for the target of the run.
///
/// # Errors
/// The name of the target that accepts none, and what to check.
pub fn reach(named: &[Named], connecting: &Connecting) -> Result<Vec<Vec<SockAddr>>> {
    let reached = named
        .iter()
        .map(|named| connecting.reach_by_tcp(&named.target, &place(named)));
    reached.collect()
}

/// The clients of the target of the run, and of the named ones. One set of flags is for all that are https.
///
/// # Errors
/// When the flags do not fit each other or a target, or the machine has no roots.
pub fn clients(
    target: &Target,
    named: &[Named],
    mut options: TlsOptions,
) -> Result<(Option<TlsClient>, Vec<Option<TlsClient>>)> {
    let first = named.iter().find(|named| named.target.is_https);
    let (own, pattern) = match (target.is_https, first) {
        (false, Some(first)) => {
            // The name that a flag gives is that of the run's target.
            options.server_name = None;
            let client = tls::client(&first.target, options).with_context(|| place(first))?;
            (None, client)
        }
        _ => {
            let client = tls::client(target, options)?;
            (client.clone(), client)
        }
    };
    let of_named = named.iter().map(|named| {
        let pattern = pattern.as_ref().filter(|_| named.target.is_https);
        let client = pattern.map(|client| client.for_host(&named.target.host));
        client
            .transpose()
            .map_err(|_| anyhow!("{}: its host is no name for a certificate", place(named)))
    });
    let of_named = of_named.collect::<Result<Vec<_>>>()?;
    Ok((own, of_named))
}

/// Does one handshake with each named target that is https.
///
/// # Errors
/// The name of the target, the reason and the cure.
pub fn shake(
    named: &[Named],
    addresses: &[Vec<SockAddr>],
    clients: &[Option<TlsClient>],
    sockets: &Sockets,
) -> Result<Vec<Reached>> {
    let parts = named.iter().zip(addresses).zip(clients);
    let reached = parts.map(|((named, addresses), client)| {
        let agreed = client.as_ref().map(|client| {
            let shaken = tls::try_handshake(&named.target, client, addresses, sockets);
            shaken.with_context(|| place(named))
        });
        Ok(Reached {
            name: named.name.clone(),
            url: named.target.url.clone(),
            addresses: addresses.clone(),
            agreed: agreed.transpose()?,
        })
    });
    reached.collect()
}

fn place(named: &Named) -> String {
    format!("[targets] {}", named.name)
}

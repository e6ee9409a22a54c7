//! The parts that the bare clients share: their arguments, connecting, learning the length of an answer, and the line of
//! results that they print.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use opsurge::machine::cpu::raise_descriptor_limit;
use opsurge::wire::{TlsClient, TlsSettings, Trust, Version};
use rustls::client::UnbufferedClientConnection;

use crate::encrypted::Encrypted;

/// What to send, where to, over how many connections, for how long.
#[derive(clap::Args)]
pub struct Task {
    #[arg(long)]
    pub addr: SocketAddr,
    /// File with the request, byte for byte.
    #[arg(long)]
    pub request: PathBuf,
    #[arg(long, default_value_t = 64)]
    pub connections: usize,
    #[arg(long, default_value_t = 4.0)]
    pub seconds: f64,
}

/// A client's end of an encrypted connection.
pub type EncryptedClient = Encrypted<UnbufferedClientConnection>;

/// Open connections, before anything that is measured was sent.
pub struct Begun {
    pub request: Vec<u8>,
    pub answer_bytes: usize,
    pub sockets: Vec<TcpStream>,
    /// As many as there are sockets; empty in plain text.
    pub encrypted: Vec<EncryptedClient>,
}

impl Task {
    /// Learns the length of an answer, and opens the connections, encrypted ones with their handshakes done.
    ///
    /// # Errors
    /// The request cannot be read, a connection cannot be opened, or the first answer is no success with a length.
    pub fn begin(&self, is_encrypted: bool) -> Result<Begun> {
        raise_descriptor_limit(self.connections as u64 + 64)?;
        let request = std::fs::read(&self.request).context("--request")?;
        let tls = is_encrypted.then(tls_client).transpose()?;
        let answer_bytes = learn_answer_bytes(self.addr, &request, tls.as_ref())?;
        let sockets = (0..self.connections).map(|_| connect(self.addr));
        let mut sockets = sockets.collect::<Result<Vec<_>>>()?;
        let mut encrypted = Vec::new();
        if let Some(tls) = &tls {
            for socket in &mut sockets {
                encrypted.push(shake_hands(tls, socket)?);
            }
        }
        Ok(Begun {
            encrypted,
            sockets,
            request,
            answer_bytes,
        })
    }
}

/// What opsurge's own handshakes are made of with `--insecure --tls-resume off`: the same versions and ciphers.
fn tls_client() -> Result<TlsClient> {
    TlsClient::new(TlsSettings {
        server_name: "localhost".into(),
        trust: Trust::Anyone,
        identity: None,
        resumes: false,
        version_max: Version::Tls13,
        ciphers: Vec::new(),
        key_log: None,
    })
    .map_err(|refused| anyhow!("{refused:?}"))
}

fn shake_hands(tls: &TlsClient, socket: &mut TcpStream) -> Result<EncryptedClient> {
    let client = UnbufferedClientConnection::new(tls.config().clone(), tls.name().clone())?;
    let mut encrypted = Encrypted::new(client);
    encrypted.shake_hands(socket)?;
    Ok(encrypted)
}

/// The measured time, from the first request to the last.
pub struct Window {
    from: Instant,
    user_s: f64,
    system_s: f64,
}

impl Window {
    /// Begins to measure. All connections are open, and nothing was sent.
    ///
    /// # Errors
    /// `getrusage` fails.
    pub fn begin() -> Result<Self> {
        let (user_s, system_s) = cpu_s()?;
        Ok(Self {
            from: Instant::now(),
            user_s,
            system_s,
        })
    }

    /// Prints the results as one line of JSON.
    ///
    /// # Errors
    /// `getrusage` fails.
    pub fn end(&self, requests: u64, answer_bytes: usize, turns: u64) -> Result<()> {
        let seconds = self.from.elapsed().as_secs_f64();
        let (user_s, system_s) = cpu_s()?;
        println!(
            "{{\"requests\": {requests}, \"seconds\": {seconds:.6}, \"turns\": {turns}, \
             \"answer_bytes\": {answer_bytes}, \"cpu_user_s\": {:.6}, \"cpu_system_s\": {:.6}}}",
            user_s - self.user_s,
            system_s - self.system_s
        );
        Ok(())
    }
}

/// Sends one request and parses its answer, the only one that is parsed. Returns the answer's length in bytes.
/// An answer without a content-length, or one that is no success, is an error: a floor of failures would be no floor.
fn learn_answer_bytes(
    address: SocketAddr,
    request: &[u8],
    tls: Option<&TlsClient>,
) -> Result<usize> {
    let mut socket = connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut encrypted = tls.map(|tls| shake_hands(tls, &mut socket)).transpose()?;
    match &mut encrypted {
        None => socket.write_all(request)?,
        Some(encrypted) => {
            let mut records = Vec::new();
            encrypted.encrypt(request, &mut records)?;
            socket.write_all(&records)?;
        }
    }
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let bytes = socket.read(&mut piece)?;
        ensure!(
            bytes > 0,
            "the server closed the connection on the first request"
        );
        match &mut encrypted {
            None => answer.extend_from_slice(&piece[..bytes]),
            Some(encrypted) => {
                let take = |text: &[u8]| answer.extend_from_slice(text);
                encrypted.receive(&mut piece[..bytes], &mut Vec::new(), take)?;
            }
        }
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(head_bytes) = head.parse(&answer)? else {
            continue;
        };
        ensure!(
            head.code.is_some_and(|code| code < 300),
            "the first answer is {:?}",
            head.code
        );
        let length = head
            .headers
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case("content-length"))
            .context("the first answer has no content-length")?;
        return Ok(head_bytes + std::str::from_utf8(length.value)?.parse::<usize>()?);
    }
}

/// A connection that sends without delay (TCP_NODELAY).
fn connect(address: SocketAddr) -> Result<TcpStream> {
    let socket = TcpStream::connect(address).with_context(|| format!("{address}"))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// User and system CPU time of this process.
fn cpu_s() -> Result<(f64, f64)> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let seconds = |time: nix::sys::time::TimeVal| time.num_microseconds() as f64 / 1e6;
    Ok((seconds(usage.user_time()), seconds(usage.system_time())))
}

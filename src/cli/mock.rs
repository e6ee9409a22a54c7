//! `opsurge mock`: the stand-in in the foreground.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use socket2::SockAddr;

use crate::engine::{Control, Order};
use crate::io::socket;
use crate::machine::cpu;
use crate::mock::{Compression, Mock};
use crate::text::duration;
use crate::text::units::{counted, grouped};

use super::args::{CompressChoice, MockArgs};
use super::read::stand_in::config;
use crate::session::connecting::unix_address;
use crate::session::cores;
use crate::session::exit::{Exit, cannot};
use crate::session::output::say;
use crate::session::signals::{Announce, Signals};
use crate::session::target::shown;

/// How often the end is looked for.
const LOOK: Duration = Duration::from_millis(50);
/// Carries out the command: serves until a signal or the given time.
pub fn mock(args: &MockArgs) -> Result<Exit> {
    let listen = listen(args)?;
    let run_time = args
        .run_time
        .as_deref()
        .map(duration::parse)
        .transpose()
        .context("--run-time")?;
    let mut config = config(&args.stand_in, listen.clone())?;
    config.compression = args.compress.map(|choice| match choice {
        CompressChoice::Gzip => Compression::Gzip,
        CompressChoice::Deflate => Compression::Deflate,
        #[cfg(feature = "codings")]
        CompressChoice::Zstd => Compression::Zstd,
    });
    if let Ok(key) = std::env::var(&args.api_key_env) {
        config.api_key = key;
    }
    let allowed = cannot(cpu::allowed_cores().context("the allowed cores are not known"))?;
    let threads = args.threads.unwrap_or(allowed.len());
    if threads == 0 {
        return Err(anyhow!(
            "--threads 0 cannot serve a request; give at least 1"
        ));
    }
    config.cores = cores::of_stand_in(&allowed, threads);
    let place = socket::shown(&listen);
    let started = Mock::start(&config).with_context(|| format!("nothing can listen at {place}"));
    let stand_in = cannot(started)?;
    save(args, &stand_in)?;
    let scheme = if stand_in.certificate().is_some() {
        "https"
    } else {
        "http"
    };
    let control = std::sync::Arc::new(Control::default());
    let signals = Signals::listen(control.clone(), Announce::Nothing)?;
    say(format_args!(
        "Ops-Core stand-in at {} ({}, {}); Ctrl-C ends it",
        match listen.is_unix() {
            true => place,
            false => format!("{scheme}://{}", stand_in.address()),
        },
        stand_in.runtime(),
        counted(threads as u64, "thread")
    ));
    let began = Instant::now();
    let is_over = || run_time.is_some_and(|run_time| began.elapsed() >= run_time);
    while control.order() == Order::Run && !is_over() {
        std::thread::sleep(LOOK);
    }
    signals.on_run_over();
    let counts = stand_in.stop();
    say(format_args!(
        "{}, {}",
        counted(counts.connections, "connection"),
        counted(counts.agents, "agent")
    ));
    for ((method, route, status), count) in &counts.answers {
        say(format_args!(
            "{:>14}  {method} {route} {status}",
            grouped(*count)
        ));
    }
    for (fault, count) in &counts.faults {
        say(format_args!("{:>14}  fault {fault}", grouped(*count)));
    }
    Ok(Exit::OK)
}

/// Writes the certificate where it was asked for.
fn save(args: &MockArgs, stand_in: &Mock) -> Result<()> {
    let (Some(path), Some(certificate)) = (&args.stand_in.tls_save, stand_in.certificate()) else {
        return Ok(());
    };
    let written = std::fs::write(path, &certificate.pem);
    cannot(written.with_context(|| format!("--tls-save {} cannot be written", path.display())))
}

fn listen(args: &MockArgs) -> Result<SockAddr> {
    if let Some(name) = &args.unix_socket {
        return unix_address(name);
    }
    let wrong = || {
        format!(
            "--listen {} is no address; write for example 127.0.0.1:8000",
            shown(&args.listen)
        )
    };
    let addresses = socket::resolve_place(&args.listen).with_context(wrong)?;
    addresses.into_iter().next().with_context(wrong)
}

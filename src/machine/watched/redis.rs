//! INFO of a Redis, over a connection of its own that speaks RESP 2 (redis.io, "Redis serialization protocol").

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::reading::{Reading, RedisReading, per_s};

/// Time limit of a connection, and of an answer.
const TIMEOUT: Duration = Duration::from_millis(900);
/// Longest INFO that is read, in bytes. A usual one has 5,000 to 10,000.
const INFO_BYTES_MAX: usize = 1 << 20;
/// Longest line of an answer, in bytes.
const LINE_BYTES_MAX: u64 = 4 << 10;
/// Redis's own port.
const PORT: u16 = 6379;
const FORM: &str = "give redis://[user:password@]HOST:PORT[/DATABASE]";

/// Where a Redis is, and how it is entered.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Host name or IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Database whose keys are counted; `None` for all.
    pub database: Option<u32>,
    user: String,
    password: String,
}

/// Without the password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "redis {}", self.shown())
    }
}

impl Address {
    /// Reads `redis://[user:password@]HOST[:PORT][/DATABASE]`; user and password may be percent-encoded (RFC 3986).
    ///
    /// # Errors
    /// The form that is understood. The text itself is not repeated: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("redis://").ok_or(FORM)?;
        let (account, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (user, password) = account.split_once(':').unwrap_or(("", account));
        let (place, database) = place.split_once('/').unwrap_or((place, ""));
        let database = match database {
            "" => None,
            number => Some(number.parse().map_err(|_| FORM)?),
        };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse::<u16>().map_err(|_| FORM)?)
            }
            _ => (place, PORT),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || port == 0 {
            return Err(FORM.into());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            database,
            user: decoded(user).ok_or(FORM)?,
            password: decoded(password).ok_or(FORM)?,
        })
    }

    /// `localhost:6379`, without user and password.
    pub fn shown(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Some servers repeat the arguments of a command that they refuse.
    fn without_password(&self, text: &str) -> String {
        match self.password.is_empty() {
            true => text.to_owned(),
            false => text.replace(&self.password, "***"),
        }
    }
}

/// `%40` -> `@`; `None` when it is not UTF-8 or a percent sign has no two digits.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, after) = match (first, tail) {
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok()?;
                (u8::from_str_radix(digits, 16).ok()?, after)
            }
            (b'%', _) => return None,
            (byte, after) => (*byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

/// A Redis that is asked once a second.
#[derive(Debug)]
pub struct Redis {
    address: Address,
    at: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
    before: Option<(Info, Instant)>,
}

impl Redis {
    /// Connects and asks once, so that a wrong address or password is found before the run.
    ///
    /// # Errors
    /// The reason, then the cure.
    pub fn begin(address: Address) -> Result<Self, String> {
        let found = (address.host.as_str(), address.port).to_socket_addrs();
        let found = found.map_err(|error| format!("its name has no address: {error}"))?;
        let mut last = "its name has no address".to_owned();
        for at in found {
            let mut redis = Self {
                address: address.clone(),
                at,
                stream: None,
                before: None,
            };
            match redis.read() {
                Ok(_) => return Ok(redis),
                Err(reason) => last = reason,
            }
        }
        Err(format!(
            "{last}; start it, correct the address, or leave the flag out"
        ))
    }

    /// Forgets what was counted until now: the next reading begins here.
    pub fn restart(&mut self) {
        let _ = self.read();
    }

    /// What it did since the last reading. It connects again where the connection has ended.
    ///
    /// # Errors
    /// Why there is no answer. The password is not in it.
    pub fn read(&mut self) -> Result<Reading, String> {
        let info = self.info().inspect_err(|_| self.stream = None);
        let info = info.map_err(|reason| self.address.without_password(&reason))?;
        let now = Instant::now();
        let reading = self
            .before
            .as_ref()
            .map_or_else(Reading::default, |(before, at)| {
                info.since(before, (now - *at).as_secs_f64())
            });
        self.before = Some((info, now));
        Ok(reading)
    }

    fn info(&mut self) -> Result<Info, String> {
        let deadline = Instant::now() + TIMEOUT;
        if self.stream.is_none() {
            self.stream = Some(self.connect(deadline)?);
        }
        let stream = self.stream.as_mut().expect("connected above");
        let text = ask(stream, &["INFO"], deadline)?;
        Ok(Info::parse(&text, self.address.database))
    }

    fn connect(&self, deadline: Instant) -> Result<BufReader<TcpStream>, String> {
        let stream = TcpStream::connect_timeout(&self.at, TIMEOUT)
            .map_err(|error| format!("no connection: {error}"))?;
        let limited = stream
            .set_read_timeout(Some(TIMEOUT))
            .and_then(|()| stream.set_write_timeout(Some(TIMEOUT)));
        limited.map_err(|error| error.to_string())?;
        let mut stream = BufReader::new(stream);
        let Address { user, password, .. } = &self.address;
        if !password.is_empty() {
            let command: &[&str] = match user.is_empty() {
                true => &["AUTH", password],
                false => &["AUTH", user, password],
            };
            ask(&mut stream, command, deadline)?;
        }
        Ok(stream)
    }
}

/// Sends a command and reads its answer: a simple string, a bulk string, or an error.
fn ask(
    stream: &mut BufReader<TcpStream>,
    words: &[&str],
    deadline: Instant,
) -> Result<String, String> {
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        command += &format!("${}\r\n{word}\r\n", word.len());
    }
    let sent = stream.get_mut().write_all(command.as_bytes());
    sent.map_err(|error| format!("not sent: {error}"))?;
    let line = line(stream)?;
    match line.split_at_checked(1) {
        Some(("+", text)) => Ok(text.to_owned()),
        Some(("-", reason)) => Err(format!("it refuses {}: {reason}", words[0])),
        Some(("$", size)) => {
            let size = size
                .parse::<usize>()
                .ok()
                .filter(|size| *size <= INFO_BYTES_MAX);
            bulk(stream, size.ok_or("it does not speak RESP")?, deadline)
        }
        _ => Err("it does not speak RESP: is this the port of a Redis?".into()),
    }
}

fn line(stream: &mut BufReader<TcpStream>) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = stream.take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes);
    match read {
        Ok(0) => Err("it closed the connection".into()),
        Ok(_) => Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned()),
        Err(error) => Err(format!("no answer: {error}")),
    }
}

/// A text of so many bytes with a line end behind it. One that trickles in ends at the deadline.
fn bulk(
    stream: &mut BufReader<TcpStream>,
    size: usize,
    deadline: Instant,
) -> Result<String, String> {
    let mut bytes = vec![0; size + 2];
    let mut filled = 0;
    while filled < bytes.len() {
        match stream.read(&mut bytes[filled..]) {
            Ok(0) => return Err("it closed the connection".into()),
            Ok(count) => filled += count,
            Err(error) => return Err(format!("no answer: {error}")),
        }
        if Instant::now() > deadline {
            return Err("its answer is too slow".into());
        }
    }
    bytes.truncate(size);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The figures of an INFO; 0 where it has none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Info {
    cpu_s: f64,
    rss_bytes: f64,
    operations: f64,
    clients: f64,
    memory_bytes: f64,
    hits: f64,
    misses: f64,
    keys: f64,
}

impl Info {
    /// Lines of `name:value`, and `db0:keys=3,expires=0,avg_ttl=0`.
    fn parse(text: &str, database: Option<u32>) -> Self {
        let fields = || text.lines().filter_map(|line| line.trim().split_once(':'));
        let number = |wanted: &str| {
            let mut values = fields().filter(|(name, _)| *name == wanted);
            let value = values
                .next()
                .and_then(|(_, value)| value.parse::<f64>().ok());
            value.filter(|number| number.is_finite()).unwrap_or(0.0)
        };
        let keys = fields().filter_map(|(name, value)| {
            let number: u32 = name.strip_prefix("db")?.parse().ok()?;
            let keys = value.strip_prefix("keys=")?.split(',').next()?;
            let is_meant = database.is_none_or(|database| database == number);
            keys.parse::<f64>().ok().filter(|_| is_meant)
        });
        Self {
            cpu_s: number("used_cpu_user") + number("used_cpu_sys"),
            rss_bytes: number("used_memory_rss"),
            operations: number("total_commands_processed"),
            clients: number("connected_clients"),
            memory_bytes: number("used_memory"),
            hits: number("keyspace_hits"),
            misses: number("keyspace_misses"),
            keys: keys.sum(),
        }
    }

    fn since(&self, before: &Self, length_s: f64) -> Reading {
        let per_s = |of: fn(&Self) -> f64| per_s(of(before), of(self), length_s);
        Reading {
            processes: 1.0,
            cpu_cores: Some(per_s(|info| info.cpu_s)),
            rss_bytes: Some(self.rss_bytes),
            redis: Some(RedisReading {
                operations_per_s: per_s(|info| info.operations),
                clients: self.clients,
                memory_bytes: self.memory_bytes,
                hits_per_s: per_s(|info| info.hits),
                misses_per_s: per_s(|info| info.misses),
                keys: self.keys,
            }),
            ..Reading::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_without_their_secrets() {
        let address = Address::parse("redis://ops:p%40ss:w@127.0.0.1:7000/2").expect("an address");
        assert_eq!(
            (address.user.as_str(), address.password.as_str()),
            ("ops", "p@ss:w")
        );
        assert_eq!((address.port, address.database), (7000, Some(2)));
        assert_eq!(format!("{address:?}"), "redis 127.0.0.1:7000");
        let shown = |text: &str| Address::parse(text).map(|address| address.shown());
        assert_eq!(shown("redis://localhost"), Ok("localhost:6379".into()));
        assert_eq!(shown("redis://:secret@[::1]:7"), Ok("[::1]:7".into()));
        assert_eq!(shown("redis://[::1]"), Ok("[::1]:6379".into()));
        for wrong in [
            "redis://",
            "redis://secret@h:x",
            "redis://secret@h/x",
            "redis://s%4@h",
        ] {
            let reason = Address::parse(wrong).expect_err(wrong);
            assert!(
                reason.contains("redis://[user") && !reason.contains("secret"),
                "{reason}"
            );
        }
    }

    #[test]
    fn a_password_that_a_server_repeats_is_masked() {
        let address = Address::parse("redis://:hush@h").expect("an address");
        let said = "it refuses AUTH: ERR unknown command `AUTH`, with args beginning with: `hush`";
        assert!(!address.without_password(said).contains("hush"));
    }

    #[test]
    fn figures_are_differences_between_two_infos_and_a_restart_counts_from_zero() {
        let info = |operations: u32, misses: u32| {
            let text = format!(
                "# Stats\r\ntotal_commands_processed:{operations}\r\nkeyspace_hits:20\r\nkeyspace_misses:{misses}\r\n\
                 connected_clients:3\r\nused_memory:1000\r\nused_memory_rss:2000\r\nused_cpu_user:1.5\r\n\
                 # Keyspace\r\ndb0:keys=3,expires=0,avg_ttl=0\r\ndb2:keys=4,expires=1,avg_ttl=0\r\n"
            );
            Info::parse(&text, None)
        };
        let reading = info(300, 5).since(&info(100, 10), 2.0);
        let redis = reading.redis.expect("a Redis");
        assert_eq!(
            (redis.operations_per_s, redis.hits_per_s, redis.misses_per_s),
            (100.0, 0.0, 2.5)
        );
        assert_eq!(
            (redis.clients, redis.memory_bytes, redis.keys),
            (3.0, 1000.0, 7.0)
        );
        assert_eq!(
            (reading.rss_bytes, reading.cpu_cores),
            (Some(2000.0), Some(0.0))
        );
        assert_eq!(
            Info::parse("db2:keys=4,expires=1\ndb0:keys=3", Some(2)).keys,
            4.0
        );
        assert_eq!(Info::parse("", None), Info::default());
    }
}

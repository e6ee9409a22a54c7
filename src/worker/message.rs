//! The messages between a Locust master and its workers, as MessagePack: an array `[type, data, node_id]`.
//!
//! One bad message makes the master deaf to all workers, so a message is encoded from a closed set of values, whole or
//! not at all; every field that the master demands is one of the struct's. What comes in may hold anything: a message that
//! cannot be read is an error with its reason, never a panic.

use rmpv::Value;

/// A message to the master.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing {
    /// The worker is ready for a test.
    ClientReady,
    Heartbeat {
        /// `ready`, `spawning`, `running`, `stopping`.
        state: &'static str,
        /// CPU use in % of one core: that of the busiest thread.
        cpu_percent: f64,
        /// Memory of the process, in bytes.
        memory_bytes: u64,
    },
    /// What was measured since the last report.
    Stats(Box<Report>),
    /// The answer to each `spawn`.
    Spawning,
    /// The users of a `spawn` are there.
    SpawningComplete(Users),
    /// After `stop`: the users are gone.
    ClientStopped,
    /// The worker leaves.
    Quit,
    /// Shown in the Exceptions tab, grouped by `place`.
    Exception { text: String, place: String },
}

/// Users present, by class of the master's file.
pub type Users = Vec<(String, u64)>;

/// A report: everything since the last one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Rows with requests.
    pub rows: Vec<Row>,
    /// The sum of the rows. The master does not add them up itself.
    pub total: Row,
    pub errors: Vec<ErrorRow>,
    pub users: Users,
}

/// The requests that are counted under one name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    pub name: String,
    pub method: String,
    /// Failures included.
    pub requests: u64,
    pub failures: u64,
    /// Sum of the response times, in milliseconds.
    pub total_ms: f64,
    /// 0 without a request.
    pub max_ms: f64,
    /// `None` without a request: 0 would stay the least time for ever.
    pub min_ms: Option<f64>,
    pub body_bytes: u64,
    /// Response times in milliseconds with their counts, ascending.
    pub times: Vec<(f64, u64)>,
    /// Requests by second of the Unix epoch.
    pub by_second: Vec<(u64, u64)>,
    pub failures_by_second: Vec<(u64, u64)>,
    /// Since when the report counts, in seconds of the Unix epoch.
    pub start_s: f64,
    /// The last request, likewise.
    pub last_s: Option<f64>,
}

/// Failures of one kind under one name.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorRow {
    pub name: String,
    pub method: String,
    pub error: String,
    pub occurrences: u64,
}

/// A message of the master.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    Ack,
    Heartbeat,
    Spawn(Spawn),
    SpawningComplete,
    Stop,
    Quit,
    Reconnect,
    /// A message that this worker has no use for.
    Other(String),
}

/// A step of the master's ramp.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spawn {
    /// The master's clock, in seconds of the Unix epoch; each `spawn` has a later one.
    pub timestamp_s: f64,
    /// Users wanted on this worker in all, by class.
    pub users: Users,
    pub settings: Settings,
}

/// The settings of a test.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The service under test.
    pub host: Option<String>,
    /// How long open requests may still take after `stop`, in seconds.
    pub stop_timeout_s: f64,
    /// Users of the whole test, on all workers.
    pub users_of_test: Option<u64>,
    /// Length of the test in seconds, when the master ends it by itself.
    pub run_time_s: Option<f64>,
}

impl Outgoing {
    /// The message's bytes.
    pub fn encode(&self, node_id: &str) -> Vec<u8> {
        let (kind, data) = match self {
            // -1: no version of Locust, taken on without a warning.
            Self::ClientReady => ("client_ready", Value::from(-1)),
            Self::Heartbeat {
                state,
                cpu_percent,
                memory_bytes,
            } => {
                let fields = [
                    ("state", Value::from(*state)),
                    ("current_cpu_usage", Value::from(*cpu_percent)),
                    ("current_memory_usage", Value::from(*memory_bytes)),
                ];
                ("heartbeat", map(fields))
            }
            Self::Stats(report) => ("stats", report.value()),
            Self::Spawning => ("spawning", Value::Nil),
            Self::SpawningComplete(users) => ("spawning_complete", map(users_fields(users))),
            Self::ClientStopped => ("client_stopped", Value::Nil),
            Self::Quit => ("quit", Value::Nil),
            Self::Exception { text, place } => {
                let fields = [
                    ("msg", Value::from(text.as_str())),
                    ("traceback", Value::from(place.as_str())),
                ];
                ("exception", map(fields))
            }
        };
        let message = Value::Array(vec![kind.into(), data, node_id.into()]);
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &message)
            .unwrap_or_else(|_| unreachable!("a vector takes every byte"));
        bytes
    }
}

impl Report {
    fn value(&self) -> Value {
        let rows = self.rows.iter().map(Row::value).collect();
        let errors = self.errors.iter().map(|row| {
            // The same for the same error on every worker; opaque to the master.
            let key = format!("{} {} {}", row.method, row.name, row.error);
            (Value::from(key), row.value())
        });
        let fields = [
            ("stats", Value::Array(rows)),
            ("stats_total", self.total.value()),
            ("errors", Value::Map(errors.collect())),
        ];
        map(fields.into_iter().chain(users_fields(&self.users)))
    }
}

impl Row {
    fn value(&self) -> Value {
        let times = self.times.iter();
        let times = times.map(|&(ms, count)| (number(ms), Value::from(count)));
        map([
            ("name", self.name.as_str().into()),
            ("method", self.method.as_str().into()),
            (
                "last_request_timestamp",
                self.last_s.map_or(Value::Nil, Value::from),
            ),
            ("start_time", self.start_s.into()),
            ("num_requests", self.requests.into()),
            ("num_none_requests", 0.into()),
            ("num_failures", self.failures.into()),
            ("total_response_time", self.total_ms.into()),
            ("max_response_time", self.max_ms.into()),
            (
                "min_response_time",
                self.min_ms.map_or(Value::Nil, Value::from),
            ),
            ("total_content_length", self.body_bytes.into()),
            ("response_times", Value::Map(times.collect())),
            ("num_reqs_per_sec", by_second(&self.by_second)),
            ("num_fail_per_sec", by_second(&self.failures_by_second)),
        ])
    }
}

impl ErrorRow {
    fn value(&self) -> Value {
        map([
            ("name", self.name.as_str().into()),
            ("method", self.method.as_str().into()),
            ("error", self.error.as_str().into()),
            ("occurrences", self.occurrences.into()),
        ])
    }
}

fn users_fields(users: &Users) -> [(&'static str, Value); 2] {
    let all: u64 = users.iter().map(|(_, count)| count).sum();
    let by_class = users.iter();
    let by_class = by_class.map(|(class, count)| (class.as_str().into(), Value::from(*count)));
    [
        ("user_classes_count", Value::Map(by_class.collect())),
        ("user_count", all.into()),
    ]
}

fn by_second(counts: &[(u64, u64)]) -> Value {
    let counts = counts.iter();
    Value::Map(
        counts
            .map(|&(second, count)| (second.into(), count.into()))
            .collect(),
    )
}

/// A whole number as an integer, as Python's workers send their times.
fn number(ms: f64) -> Value {
    match ms.fract() == 0.0 {
        true => Value::from(ms as u64),
        false => Value::from(ms),
    }
}

fn map(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let fields = fields.into_iter();
    Value::Map(fields.map(|(key, value)| (key.into(), value)).collect())
}

/// Reads a message of the master.
///
/// # Errors
/// Why it cannot be read.
pub fn decode(bytes: &[u8]) -> Result<Incoming, String> {
    let mut rest = bytes;
    let message =
        rmpv::decode::read_value(&mut rest).map_err(|error| format!("no MessagePack: {error}"))?;
    let [kind, data, ..] = message.as_array().map_or(&[][..], Vec::as_slice) else {
        return Err("not an array of type, data and node id".into());
    };
    let kind = kind.as_str().ok_or("its type is no text")?;
    Ok(match kind {
        "ack" => Incoming::Ack,
        "heartbeat" => Incoming::Heartbeat,
        "spawn" => Incoming::Spawn(spawn(data)?),
        "spawning_complete" => Incoming::SpawningComplete,
        "stop" => Incoming::Stop,
        "quit" => Incoming::Quit,
        "reconnect" => Incoming::Reconnect,
        other => Incoming::Other(other.to_owned()),
    })
}

fn spawn(data: &Value) -> Result<Spawn, String> {
    let timestamp_s = float(&data["timestamp"]).ok_or("spawn: no timestamp")?;
    let classes = data["user_classes_count"].as_map();
    let classes = classes.ok_or("spawn: no user_classes_count")?;
    let mut users = Users::new();
    for (class, count) in classes {
        let entry = (class.as_str(), count.as_u64());
        let (Some(class), Some(count)) = entry else {
            return Err("spawn: user_classes_count does not map names to numbers".into());
        };
        users.push((class.to_owned(), count));
    }
    let options = &data["parsed_options"];
    let host = [&data["host"], &options["host"]];
    let host = host.into_iter().find_map(Value::as_str);
    Ok(Spawn {
        timestamp_s,
        users,
        settings: Settings {
            host: host.filter(|host| !host.is_empty()).map(str::to_owned),
            stop_timeout_s: float(&data["stop_timeout"]).unwrap_or(0.0).max(0.0),
            users_of_test: float(&options["num_users"]).map(|users| users as u64),
            run_time_s: float(&options["run_time"]),
        },
    })
}

/// A finite number, whichever of MessagePack's kinds it has.
fn float(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests;

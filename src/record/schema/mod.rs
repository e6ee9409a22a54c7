//! The fields of the record. Their names and units are a promise, fixed by the schema's version.
//!
//! Names carry their unit: `_us` microseconds, `_s` seconds, `_bytes` bytes; a ratio or share is 0 to 1; times that say
//! "since the start" count from the start of the run. `None` is `null`: not known, or not asked for.
//! `docs/record.schema.json` says the same for other programs; a test holds the records of all tests to it.
//!
//! Reading order: `record` (the whole), `run` (what was done), `figures` (what was counted and measured),
//! `distribution` (times), `judged` (rules and search), `generator`, `calibration` (what the machine can do), `part` (of a run),
//! `series` (the run second by second), `spread` (what differs between the runs of `--repeat`), `tls`, `kinds` (of users), `once` (setup and
//! teardown), `watched` (what ran beside it).

mod calibration;
mod distribution;
mod figures;
mod generator;
mod judged;
mod kinds;
mod once;
mod part;
mod record;
mod run;
mod series;
mod spread;
mod tls;
mod watched;

pub use calibration::{CALIBRATION_SCHEMA, Calibrated, Calibration, CalibrationRecord};
pub use distribution::{Bounds, ConfidenceRecord, Histograms, PERCENTS, Times};
pub use figures::{ErrorRecord, PollRecord, SpanRecord, StepRecord, Totals};
pub use generator::{Generator, GeneratorHistograms, ShardRecord, StandIn, VerdictRecord};
pub use judged::{GoalRecord, LevelRecord, RuleRecord, SearchRecord};
pub use kinds::KindRecord;
pub use once::{OnceRecord, OnceStepRecord};
pub use part::{SliceRecord, WarmUpRecord};
pub use record::{Record, SCHEMA};
pub use run::{
    ClockRecord, ClockStateRecord, LoadInfo, MachineInfo, MergedPartRecord, OpenRecord,
    OrderRecord, PartRecord, RateStageRecord, RunInfo, StageRecord, StartAtRecord, StretchRecord,
    TargetRecord,
};
pub use series::{SampleRecord, StepSampleRecord};
pub use spread::{SpreadFigure, SpreadRecord};
pub use tls::{OpeningRecord, TlsHistograms, TlsRecord};
pub use watched::{FULL_SHARE, RedisSampleRecord, WatchedRecord, WatchedSampleRecord};

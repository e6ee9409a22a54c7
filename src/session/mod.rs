//! A job carried out. Every front end calls this room: `run`, `search`, `request`, and what comes.
//!
//! Reading order: `job` (all that was asked for), `prepare` (with `target`, `source`, `resolved`, `connecting`,
//! `tls`, `handshakes`, `key_log`, `cores`, `limits`, `diagnosis`, `signals`), `run` (the session; `once`: its setup and
//! teardown), what judges it (`watch` by the second, `run_judge` with `rules` by the
//! window and `until` by the look, [`steer`] by the level), `series` (several runs of one command), `begun` (what is known before the run), `publish` (ticks), `watched`
//! (what runs beside it), `evidence` (the record; `share`: of a load that several processes make), `settle` (what it leaves
//! out), `ending` and [`exit`]. `calibrate` is a session against canned answers, `calibration` what such sessions have kept.

pub(crate) mod begun;
pub(crate) mod calibrate;
pub(crate) mod calibration;
pub(crate) mod connecting;
pub(crate) mod cores;
pub(crate) mod diagnosis;
pub(crate) mod ending;
pub(crate) mod evidence;
pub(crate) mod exchange;
pub mod exit;
pub(crate) mod handshakes;
pub(crate) mod job;
pub(crate) mod key_log;
pub(crate) mod kinds;
pub(crate) mod limits;
pub mod named;
pub(crate) mod once;
pub mod orders;
pub(crate) mod output;
pub(crate) mod prepare;
pub(crate) mod publish;
pub(crate) mod resolved;
pub(crate) mod rules;
pub(crate) mod run;
pub(crate) mod run_judge;
pub(crate) mod series;
pub(crate) mod settle;
pub(crate) mod share;
pub(crate) mod signals;
pub(crate) mod source;
pub mod steer;
pub(crate) mod target;
pub(crate) mod tls;
pub(crate) mod until;
pub(crate) mod watch;
pub(crate) mod watched;

//! What is watched beside the run: chosen before it, sampled once a second on threads of their own, put into the record.
//!
//! Reading order: [`list`] (what the job asks for), [`found`] (it is looked for before the run), [`sampling`] (the threads),
//! `samples` (the series of one name), [`records`] (samples -> record).

pub mod found;
pub mod list;
pub mod records;
mod samples;
pub mod sampling;

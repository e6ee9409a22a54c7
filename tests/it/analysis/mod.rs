//! Judgements on measurements, against outside truths.

mod confidence;

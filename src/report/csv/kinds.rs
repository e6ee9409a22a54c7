//! `_users.csv`: a row for each kind of user.

use super::cells::{PERCENTILES, ms_or_0, percentiles, quoted, six_decimals};
use crate::record::schema::{KindRecord, Record};

const HEAD: &str = "Name,Users,Iterations,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Requests/s";

/// The whole file.
pub(super) fn table(record: &Record) -> String {
    let rows = record.kinds.iter().map(|kind| row(kind).join(",") + "\n");
    let rows: String = rows.collect();
    format!("{HEAD},{PERCENTILES}\n{rows}")
}

fn row(kind: &KindRecord) -> [String; 11] {
    [
        quoted(&kind.name),
        whole(kind.users),
        whole(kind.iterations),
        kind.requests.to_string(),
        kind.failures.to_string(),
        ms_or_0(kind.all_us.p50),
        ms_or_0(kind.all_us.mean),
        ms_or_0(kind.all_us.min),
        ms_or_0(kind.all_us.max),
        six_decimals(kind.rps),
        percentiles(&kind.all_us),
    ]
}

/// Empty in a slice, which does not know it.
fn whole(number: Option<u64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

//! `_search.csv`: a row for each measurement of a level, in the order in which they were made.

use super::cells::quoted;
use crate::record::schema::SearchRecord;

const HEAD: &str = "Level,From s,Window s,Requests/s,Good requests/s,Failure ratio,Average Response Time,50%,99%,100%,Good,Noisy,Believable,Rule,Finding";

/// The whole file.
pub(super) fn table(search: &SearchRecord) -> String {
    let mut text = format!("{HEAD}\n");
    let ms = |us: Option<f64>| us.map_or(String::new(), |us| (us / 1e3).to_string());
    for level in &search.levels {
        let row = [
            level.level.to_string(),
            level.from_s.to_string(),
            level.window_s.to_string(),
            level.rps.to_string(),
            level.good_rps.to_string(),
            level.failure_ratio.to_string(),
            ms(level.mean_us),
            ms(level.p50_us),
            ms(level.p99_us),
            ms(level.max_us),
            level.good.to_string(),
            level.noisy.to_string(),
            level.believable.to_string(),
            quoted(level.rule.as_deref().unwrap_or_default()),
            quoted(&level.says),
        ];
        text += &(row.join(",") + "\n");
    }
    text
}

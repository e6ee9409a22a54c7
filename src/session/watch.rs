//! Each second judged as it comes: evidence of the shards beside what the machine did meanwhile.

use crate::analysis::seconds::{Watched, judge_seconds};
use crate::engine::Second;
use crate::machine::Hindrances;
use crate::metrics::seconds::Status;

/// The judge of one run's seconds.
pub struct SecondJudge {
    watched: Watched,
    hindrances: Hindrances,
    /// The load is a search: overload is intended.
    is_search: bool,
}

impl SecondJudge {
    /// Starts to watch the machine.
    pub fn start(is_search: bool) -> Self {
        Self {
            watched: Watched::default(),
            hindrances: Hindrances::start(),
            is_search,
        }
    }

    /// Judges a second; the series keeps what is written into its interval.
    pub fn on_second(&mut self, second: &mut Second<'_>) {
        let (begin_ns, end_ns) = (second.begin_ns, second.end_ns);
        let has_begun = second
            .load_from_ns
            .is_some_and(|from_ns| begin_ns >= from_ns);
        let is_load = !second.interval.is_drain && has_begun;
        let hindered = self.hindrances.since();
        let (judged, causes) = self.watched.on_second(
            (begin_ns, end_ns),
            (is_load, self.is_search),
            second.interval,
            hindered.steal_share,
            hindered.throttled_us.unwrap_or(0),
        );
        second.interval.judged = judged;
        second.interval.causes = causes;
    }

    /// The verdict on the seconds so far.
    pub fn status(&self) -> Status {
        judge_seconds(&self.watched.judged)
    }

    /// The findings.
    pub fn into_watched(self) -> Watched {
        self.watched
    }
}

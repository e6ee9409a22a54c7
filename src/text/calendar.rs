//! Days of the Gregorian calendar.

/// Days between 1970-01-01 and a date, negative before it. `month` is from 1 to 12. The calendar is Hinnant's
/// ("chrono-compatible low-level date algorithms", 2013): eras of 400 years, years that begin in March, so that the leap
/// day is their last.
pub fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * (month + 9).rem_euclid(12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_follows_the_one_before_it() {
        let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        // `date -u -d 1600-01-01 +%s` / 86400.
        let mut expected = -135_140;
        for year in 1600..2410 {
            for month in 1..=12 {
                let days = match month {
                    2 => 28 + i64::from(is_leap(year)),
                    4 | 6 | 9 | 11 => 30,
                    _ => 31,
                };
                for day in 1..=days {
                    assert_eq!(
                        days_since_1970(year, month, day),
                        expected,
                        "{year}-{month}-{day}"
                    );
                    expected += 1;
                }
            }
        }
        assert_eq!(days_since_1970(1970, 1, 1), 0);
        assert_eq!(days_since_1970(-1, 12, 31) + 1, days_since_1970(0, 1, 1));
    }
}

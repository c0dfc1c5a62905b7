//! ISO 8601 timestamps, as the contract writes and compares them.

use std::time::Duration;

use fotalab_wire::net::UnixMillis;

const DAY_MILLIS: i64 = 24 * 3_600 * 1_000;

/// `2023-09-12T00:00:00.000Z`.
pub(crate) fn iso(at: UnixMillis) -> String {
    let (year, month, day) = civil_from_days(at.div_euclid(DAY_MILLIS));
    let of_day = at.rem_euclid(DAY_MILLIS);
    let (seconds, millis) = (of_day / 1_000, of_day % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Reads what the contract's ISO expression (section 3.4) accepts; no zone means UTC.
pub(crate) fn parse_iso(text: &str) -> Option<UnixMillis> {
    let bytes = text.as_bytes();
    let fixed = |at: usize, byte: u8| bytes.get(at) == Some(&byte);
    if !(fixed(4, b'-') && fixed(7, b'-') && fixed(10, b'T') && fixed(13, b':') && fixed(16, b':'))
    {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        digits
            .bytes()
            .all(|it| it.is_ascii_digit())
            .then(|| digits.parse::<i64>().ok())?
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 24
        || minute > 59
        || second > 60
    {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut millis = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let padded: String = fraction
            .chars()
            .take(digits)
            .chain("000".chars())
            .take(3)
            .collect();
        millis = padded.parse::<i64>().ok()?;
        rest = &fraction[digits..];
    }
    let offset = match rest {
        "" | "Z" => 0,
        zone => {
            let sign = match zone.as_bytes().first() {
                Some(b'+') => 1,
                Some(b'-') => -1,
                _ => return None,
            };
            let at = text.len() - zone.len();
            if zone.len() != 6 || zone.as_bytes()[3] != b':' {
                return None;
            }
            sign * (number(at + 1, at + 3)? * 60 + number(at + 4, at + 6)?)
        }
    };
    let seconds = (hour * 60 + minute - offset) * 60 + second;
    Some(days_from_civil(year, month, day) * DAY_MILLIS + seconds * 1_000 + millis)
}

/// A duration as milliseconds of [`UnixMillis`].
pub(crate) fn millis(duration: Duration) -> UnixMillis {
    UnixMillis::try_from(duration.as_millis()).unwrap_or(UnixMillis::MAX)
}

/// Howard Hinnant's `civil_from_days`: days since 1970-01-01 to year, month, day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil_from_days`].
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants_are_written_and_read() {
        for (at, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_694_503_339_523, "2023-09-12T07:22:19.523Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(iso(at), text);
            assert_eq!(parse_iso(text), Some(at));
        }
    }

    #[test]
    fn the_forms_of_the_contract_are_read() {
        let noon = Some(1_694_520_000_000);
        for text in [
            "2023-09-12T12:00:00Z",
            "2023-09-12T12:00:00",
            "2023-09-12T14:00:00+02:00",
            "2023-09-12T12:00:00.0000Z",
        ] {
            assert_eq!(parse_iso(text), noon, "{text}");
        }
        for text in [
            "",
            "2023-09-12",
            "yesterday",
            "2023-13-12T12:00:00Z",
            "2023-09-12T12:00:00é",
            "2023-09-12T12:00:00+2",
        ] {
            assert_eq!(parse_iso(text), None, "{text}");
        }
    }
}

//! Durations as people write them: `90 minutes`, `10 s`, `1 h 30 min`, `500 ms`.

use std::time::Duration;

/// The longest duration that is taken: ten years, so that no sum of a few can overflow.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// Names of the units and their length in milliseconds.
const UNITS: [(&str, f64); 20] = [
    ("ms", 1.0),
    ("millisecond", 1.0),
    ("milliseconds", 1.0),
    ("s", 1e3),
    ("sec", 1e3),
    ("second", 1e3),
    ("seconds", 1e3),
    ("m", 60e3),
    ("min", 60e3),
    ("minute", 60e3),
    ("minutes", 60e3),
    ("h", 3600e3),
    ("hour", 3600e3),
    ("hours", 3600e3),
    ("d", 86_400e3),
    ("day", 86_400e3),
    ("days", 86_400e3),
    ("w", 604_800e3),
    ("week", 604_800e3),
    ("weeks", 604_800e3),
];

/// Reads a duration: numbers, each with a unit, largest first by habit but in any order.
///
/// # Errors
/// A lower-case sentence that says what is wrong and shows a form that works.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("a duration is empty: write a number and a unit, such as `30 s`".into());
    }
    let mut milliseconds = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|it: char| !it.is_ascii_digit() && it != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let Ok(number) = number.parse::<f64>() else {
            return Err(format!(
                "`{text}` is not a duration: write a number and a unit, such as `30 s`"
            ));
        };
        let after = after.trim_start();
        let letters = after
            .find(|it: char| !it.is_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let Some(&(_, length)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(if unit.is_empty() {
                format!(
                    "`{text}` has a number without a unit: write ms, s, min, h or days after it"
                )
            } else {
                format!("`{unit}` is not a unit of time: use ms, s, min, h or days")
            });
        };
        milliseconds += number * length;
        rest = after.trim_start();
    }
    Duration::try_from_secs_f64(milliseconds / 1e3)
        .ok()
        .filter(|it| *it <= LONGEST)
        .ok_or_else(|| format!("`{text}` is longer than ten years"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_that_people_write() {
        for (text, milliseconds) in [
            ("90 minutes", 5_400_000),
            ("10 s", 10_000),
            ("1 h 30 min", 5_400_000),
            ("500 ms", 500),
            ("1.5s", 1_500),
            ("1h30m", 5_400_000),
            ("2 days", 172_800_000),
            ("0 s", 0),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_duration_says_why() {
        for (text, word) in [
            ("", "empty"),
            ("30", "without a unit"),
            ("fast", "a number and a unit"),
            ("3 parsecs", "parsecs"),
            ("-1 s", "a number"),
            ("1..2 s", "a number"),
            ("99999999999 weeks", "ten years"),
        ] {
            let message = parse_duration(text).expect_err(text);
            assert!(message.contains(word), "{text}: {message}");
        }
    }
}

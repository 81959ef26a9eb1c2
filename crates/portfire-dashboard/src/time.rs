//! Instants, durations and counts as text. Pure.

use std::time::Duration;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use portfire_core::Timestamp;

/// A duration in at most `most` units, the largest first, truncated. `units` are those of days, hours, minutes,
/// seconds and milliseconds.
pub(crate) fn in_words(length: Duration, units: &[&str; 5], most: usize, between: &str) -> String {
    let seconds = length.as_secs();
    if seconds == 0 {
        return format!("{}{}", length.subsec_millis(), units[4]);
    }
    if seconds < 10 && most > 1 {
        return format!("{}.{}{}", seconds, length.subsec_millis() / 100, units[3]);
    }
    let parts = [seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60];
    let first = parts.iter().position(|part| *part > 0).unwrap_or(3);
    let told = parts.iter().zip(units).skip(first).take(most).filter(|(part, _)| **part > 0);
    told.map(|(part, unit)| format!("{part}{unit}")).collect::<Vec<_>>().join(between)
}

/// `98,000`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The instant that somebody typed in UTC, as browsers write it: `2026-10-03T14:05`.
pub(crate) fn typed(text: &str) -> Option<Timestamp> {
    let civil: jiff::civil::DateTime = text.trim_end_matches('Z').parse().ok()?;
    Some(TimeZone::UTC.to_timestamp(civil).ok()?.into())
}

/// `2026-10-03 14:05:09`, in UTC.
pub(crate) fn utc(at: Timestamp) -> String {
    in_zone(at, &TimeZone::UTC, "%Y-%m-%d %H:%M:%S")
}

/// An instant in a zone, in jiff's `strftime` form; for an instant that no calendar has, its microseconds.
pub(crate) fn in_zone(at: Timestamp, zone: &TimeZone, form: &str) -> String {
    match jiff::Timestamp::from_microsecond(at.as_micros()) {
        Ok(instant) => instant.to_zoned_datetime(zone.clone()).strftime(form).to_string(),
        Err(_) => at.to_string(),
    }
}

/// The zone of this name, if there is one.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

/// How far a zone is from UTC at an instant, in seconds.
pub(crate) fn offset(at: Timestamp, zone: &TimeZone) -> i32 {
    jiff::Timestamp::from_microsecond(at.as_micros()).map_or(0, |instant| zone.to_offset(instant).seconds())
}

#[cfg(test)]
mod tests {
    use super::{grouped, in_words};
    use std::time::Duration;

    #[test]
    fn lengths_and_counts_read_well() {
        let units = &["d", "h", "m", "s", "ms"];
        let words = |millis, most| in_words(Duration::from_millis(millis), units, most, " ");
        assert_eq!(words(0, 2), "0ms");
        assert_eq!(words(1_250, 2), "1.2s");
        assert_eq!(words(61_000, 2), "1m 1s");
        assert_eq!(words(3_600_000, 2), "1h");
        assert_eq!(words(90_061_000, 2), "1d 1h");
        assert_eq!(words(90_061_000, 1), "1d");
        assert_eq!(
            [0, 999, 1_000, 98_000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "98,000", "1,234,567"]
        );
    }
}

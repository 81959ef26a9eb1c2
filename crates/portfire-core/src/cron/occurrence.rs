//! When an expression occurs in a zone: the rule for clocks that jump, and nothing else.
//!
//! Time is gone through stretch by stretch, a stretch being the time between two changes of the zone's
//! offset. Within one, wall-clock time and real time run alike and [`Pattern`] is searched. Where one
//! begins, the clock has jumped:
//!
//! - **Forward.** If a match was jumped over, the expression occurs at the first instant of the stretch.
//! - **Back.** Wall-clock times come again. An interval occurs at them again, a fixed time does not.
//!
//! For a fixed time both are one rule: it occurs when the wall clock first reaches or passes it. That
//! holds for jumps of any size and for two in close succession.

use std::ops::Range;

use super::pattern::Pattern;
use super::zone::{EARLIEST, LATEST, Stretch, Zone, civil, seconds};

/// How far a search goes, in seconds. The longest wait of any expression is 40 years (29 February on a
/// given weekday, across a year such as 2100 that is not a leap year); a year more for the zone.
const SEARCH_SECONDS: i64 = 41 * 366 * 24 * 60 * 60;

/// The first occurrence at or after `from`, in seconds.
pub(super) fn first_from(pattern: &Pattern, from: i64, zone: &Zone) -> Option<i64> {
    let mut from = from.max(EARLIEST);
    let end = from.saturating_add(SEARCH_SECONDS).min(LATEST);
    while from < end {
        let stretch = zone.stretch_at(from);
        if from == stretch.start && jumps_over_match(pattern, &stretch) {
            return Some(from);
        }
        let mut matching = matching(pattern, &stretch);
        matching.start = matching.start.max(from + stretch.offset);
        if let Some(wall) = first_in(pattern, matching) {
            return Some(wall - stretch.offset);
        }
        from = stretch.end;
    }
    None
}

/// The last occurrence at or before `to`, in seconds.
pub(super) fn last_to(pattern: &Pattern, to: i64, zone: &Zone) -> Option<i64> {
    let mut to = to.min(LATEST - 1);
    let end = to.saturating_sub(SEARCH_SECONDS).max(EARLIEST);
    while to >= end {
        let stretch = zone.stretch_at(to);
        let mut matching = matching(pattern, &stretch);
        matching.end = matching.end.min(to + stretch.offset + 1);
        if let Some(wall) = last_in(pattern, matching) {
            return Some(wall - stretch.offset);
        }
        if jumps_over_match(pattern, &stretch) {
            return Some(stretch.start);
        }
        to = stretch.start - 1;
    }
    None
}

/// The wall-clock times of a stretch at which a match is an occurrence.
fn matching(pattern: &Pattern, stretch: &Stretch) -> Range<i64> {
    let start = stretch.start + stretch.offset;
    let start = if pattern.is_interval { start } else { start.max(stretch.passed) };
    start..stretch.end + stretch.offset
}

/// Whether the jump with which a stretch begins skips a match that has not been before.
fn jumps_over_match(pattern: &Pattern, stretch: &Stretch) -> bool {
    let skipped = if pattern.is_interval { stretch.reached } else { stretch.passed };
    first_in(pattern, skipped..stretch.start + stretch.offset).is_some()
}

fn first_in(pattern: &Pattern, walls: Range<i64>) -> Option<i64> {
    if walls.is_empty() { None } else { seconds(pattern.first_in(civil(walls.start), civil(walls.end))?) }
}

fn last_in(pattern: &Pattern, walls: Range<i64>) -> Option<i64> {
    if walls.is_empty() { None } else { seconds(pattern.last_in(civil(walls.start), civil(walls.end))?) }
}

//! Cron expressions: when a recurring job is due, in a time zone, also on the two days of the year on
//! which that is not obvious.
//!
//! 1. `parse.rs` reads the text into fields; everything malformed is refused there.
//! 2. `pattern.rs` turns the fields into sets and finds matching wall-clock times.
//! 3. `zone.rs` says what a wall clock shows, and when it is changed.
//! 4. `occurrence.rs` joins the two: it alone knows what happens when the clock is changed.
//! 5. `describe/` puts the fields into words.
//!
//! No clock is read here, and no file: the zones are compiled in.

mod describe;
mod field;
mod occurrence;
mod parse;
mod pattern;
mod suggest;
mod zone;

use std::fmt;
use std::str::FromStr;

pub use self::describe::Language;
use self::parse::Fields;
use self::pattern::Pattern;
pub use self::zone::Zone;
use crate::{Error, Result, Timestamp};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// A cron expression: five fields, or six with the second first.
///
/// ```
/// use portfire_core::{Cron, Timestamp, Zone};
///
/// let nightly = Cron::parse("0 2 * * *")?;
/// let taipei = Zone::named("Asia/Taipei")?;
/// let now: Timestamp = "2026-11-24T12:00:00Z".parse::<jiff::Timestamp>().expect("an instant").into();
/// let next = nightly.next_after(now, &taipei).expect("there is a next day");
/// assert_eq!(next.to_string(), "2026-11-24T18:00:00Z");
/// # Ok::<(), portfire_core::Error>(())
/// ```
///
/// # Fields
///
/// | field | values | names | also |
/// |---|---|---|---|
/// | second (only of six) | 0–59 | | |
/// | minute | 0–59 | | |
/// | hour | 0–23 | | |
/// | day of month | 1–31 | | `?`, `L`, `L-3`, `15W`, `LW` |
/// | month | 1–12 | `JAN`–`DEC` | |
/// | day of week | 0–7 (0 and 7 are Sunday) | `SUN`–`SAT` | `?`, `MON#2`, `FRIL` |
///
/// Every field takes `*`, a value, a range `3-50`, a step `*/5`, `3-50/7` or `5/15` (from 5 to the end),
/// and a list of these with commas. A range may go round: `22-3` is 22, 23, 0, 1, 2, 3, and `FRI-MON` is
/// a long weekend. Names and letters may be in any case.
///
/// - `L` is the last day of the month, `L-3` three days before it.
/// - `15W` is the workday (Monday to Friday) nearest to the 15th, never in another month: `1W` on a
///   Saturday is Monday the 3rd. A month without that day has none. `LW` is the last workday.
/// - `MON#2` is the second Monday of the month, `FRIL` the last Friday.
/// - `?` is `*`.
///
/// Macros: `@yearly` (or `@annually`), `@monthly`, `@weekly`, `@daily` (or `@midnight`), `@hourly`,
/// `@every_minute`, `@every_second`.
///
/// # Day of month and day of week
///
/// A field is *restricted* if it does not begin with `*` or `?`. If both are restricted, a day matches if
/// **either** field does: `0 0 13 * FRI` is every 13th and every Friday. Otherwise both must match, which
/// matters for fields such as `*/2`: `0 0 */2 * MON` is every Monday with an odd date. This is the rule of
/// Vixie cron, and of crontab on most systems. Hangfire (Cronos) always wants both: there the first
/// example means every Friday the 13th.
///
/// # When the clock is changed
///
/// An expression is an *interval* if its second, minute or hour has a `*`, a range or a step; otherwise
/// its times are *fixed*.
///
/// | the clock | fixed (`30 2 * * *`) | interval (`*/30 * * * *`) |
/// |---|---|---|
/// | goes forward over a match | once, at the first instant after the gap | the same |
/// | goes forward over several | once, at that instant | the same |
/// | goes back, so that a match comes twice | once, at the first | at both |
///
/// In New York, `30 2 * * *` runs at 03:00 on the day that has no 02:30, and `30 1 * * *` runs once on the
/// day that has it twice. The size of the change does not matter: 30 minutes on Lord Howe Island, or the
/// whole day that Apia left out, when a job at 02:00 ran at the midnight after it.
///
/// # Limits
///
/// At most 256 bytes, 64 parts in a list and 4 digits in a number. An expression that no year can match
/// (31 February) is refused when it is parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    text: Box<str>,
    fields: Fields,
    pattern: Pattern,
}

impl Cron {
    /// Reads an expression; space around it is ignored.
    ///
    /// # Errors
    /// [`is_misuse`](Error::is_misuse) if it is malformed, out of bounds, or can never match. The message
    /// names the field, what is wrong with it and what to write instead.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let refuse =
            |wrong| Error::misuse(format!("the cron expression `{}` is refused: {wrong}", shown(text)));
        let fields = parse::parse(text).map_err(refuse)?;
        let pattern = Pattern::new(&fields);
        if !pattern.ever_matches() {
            return Err(refuse(never_matches()));
        }
        Ok(Self { text: text.into(), fields, pattern })
    }

    /// The expression as it was written, without space around it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first occurrence after `after`, not at it.
    ///
    /// `None` if there is none within 41 years, which no expression comes to before the year 9958.
    pub fn next_after(&self, after: Timestamp, zone: &Zone) -> Option<Timestamp> {
        let from = after.as_micros().div_euclid(MICROS_PER_SECOND) + 1;
        occurrence::first_from(&self.pattern, from, zone).map(timestamp)
    }

    /// The last occurrence before `before`, not at it.
    ///
    /// `None` if there is none within 41 years, which no expression comes to after the year 42.
    pub fn previous_before(&self, before: Timestamp, zone: &Zone) -> Option<Timestamp> {
        let to = before.as_micros().saturating_sub(1).div_euclid(MICROS_PER_SECOND);
        occurrence::last_to(&self.pattern, to, zone).map(timestamp)
    }

    /// The expression in words, in 24-hour time.
    ///
    /// ```
    /// use portfire_core::{Cron, Language};
    ///
    /// let nightly = Cron::parse("0 2 * * *")?;
    /// assert_eq!(nightly.describe(Language::English), "At 02:00, every day");
    /// assert_eq!(nightly.describe(Language::TraditionalChinese), "每天 02:00");
    /// # Ok::<(), portfire_core::Error>(())
    /// ```
    pub fn describe(&self, language: Language) -> String {
        describe::describe(&self.fields, language)
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for Cron {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

/// The search ends in the year 9999, whose microseconds are far from overflowing.
fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * MICROS_PER_SECOND)
}

/// As much of a refused text as a message can carry.
fn shown(text: &str) -> String {
    let shown: String = text.chars().take(80).collect();
    let rest = if shown.len() < text.len() { "…" } else { "" };
    format!("{}{rest}", shown.escape_debug())
}

fn never_matches() -> String {
    "it can never match, because no month that it names ever has a day that it names (31 February is in no \
     year); change the day or the month"
        .to_owned()
}

//! One field of a cron expression: its range, its words, and the terms that a list in it is made of.
//!
//! Terms are kept as written, because a description speaks of them; [`Set`] is what they mean.

/// Which field of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Unit {
    /// The word for it in messages.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day of month",
            Self::Month => "month",
            Self::Weekday => "day of week",
        }
    }

    /// The smallest value.
    pub(super) const fn first(self) -> u8 {
        match self {
            Self::Day | Self::Month => 1,
            _ => 0,
        }
    }

    /// The largest value. A weekday may be written as 7 too, which is Sunday, 0.
    pub(super) const fn last(self) -> u8 {
        match self {
            Self::Second | Self::Minute => 59,
            Self::Hour => 23,
            Self::Day => 31,
            Self::Month => 12,
            Self::Weekday => 6,
        }
    }

    /// The largest number that may be written.
    pub(super) const fn last_written(self) -> u8 {
        match self {
            Self::Weekday => 7,
            other => other.last(),
        }
    }

    /// The largest step. A larger one would reach nothing but the first value, which is never meant.
    pub(super) const fn step_max(self) -> u8 {
        match self {
            Self::Day | Self::Month => self.last(),
            _ => self.last_written(),
        }
    }

    /// The names of the values, in order from the smallest.
    pub(super) const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &MONTHS,
            Self::Weekday => &WEEKDAYS,
            _ => &[],
        }
    }
}

/// One part of a list, with values in the range of its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Term {
    /// `*`, `?` or `*/step`.
    Every { step: u8 },
    /// `5`.
    One(u8),
    /// `5/15`: from 5 to the end.
    From { first: u8, step: u8 },
    /// `3-50` or `3-50/7`; a last before the first goes round (`22-3`).
    Range { first: u8, last: u8, step: u8 },
}

impl Term {
    /// The values it stands for.
    pub(super) fn set(self, unit: Unit) -> Set {
        let (first, last, step) = match self {
            Self::Every { step } => (unit.first(), unit.last(), step),
            Self::One(value) => (value, value, 1),
            Self::From { first, step } => (first, unit.last(), step),
            Self::Range { first, last, step } => (first, last, step),
        };
        let length = unit.last() - unit.first() + 1;
        let span = if first <= last { last - first } else { length - (first - last) };
        (0..=span)
            .step_by(usize::from(step))
            .map(|along| unit.first() + (first - unit.first() + along) % length)
            .collect()
    }
}

/// A part of the day-of-month field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayTerm {
    Plain(Term),
    Special(SpecialDay),
}

/// A day of month that depends on the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpecialDay {
    /// `L`, `L-3`: so many days before the last of the month.
    Last { before: u8 },
    /// `15W`: the workday (Monday to Friday) nearest to that day, in the same month.
    Workday(u8),
    /// `LW`: the last workday of the month.
    LastWorkday,
}

/// A part of the day-of-week field. Sunday is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WeekdayTerm {
    Plain(Term),
    Special(SpecialWeekday),
}

/// A weekday of which a month has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpecialWeekday {
    /// `MON#2`: the second Monday of the month.
    Nth { weekday: u8, nth: u8 },
    /// `FRIL`: the last Friday of the month.
    Last(u8),
}

/// A set of numbers below 64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Set(u64);

impl Set {
    /// All numbers from `first` to `last`.
    pub(super) fn span(first: u8, last: u8) -> Self {
        (first..=last).collect()
    }

    #[must_use]
    pub(super) const fn with(self, value: u8) -> Self {
        Self(self.0 | 1 << value)
    }

    #[must_use]
    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) const fn has(self, value: u8) -> bool {
        self.0 & 1 << value != 0
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The smallest number that is not below `value`.
    pub(super) fn at_or_after(self, value: u8) -> Option<u8> {
        let rest = self.0 >> value << value;
        u8::try_from(rest.trailing_zeros()).ok().filter(|found| *found < 64)
    }

    /// The largest number that is not above `value`.
    pub(super) fn at_or_before(self, value: u8) -> Option<u8> {
        let rest = self.0 << (63 - value);
        value.checked_sub(u8::try_from(rest.leading_zeros()).ok()?)
    }
}

impl FromIterator<u8> for Set {
    fn from_iter<I: IntoIterator<Item = u8>>(values: I) -> Self {
        values.into_iter().fold(Self::default(), Self::with)
    }
}

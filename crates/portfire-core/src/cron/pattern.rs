//! What an expression means on a wall clock: which days of a month, which times of a day, and the search
//! for the next or the previous of them. No zone is known here.
//!
//! The search goes by fields: month by month, each as one set of days; then hour, minute and second. Its
//! cost does not depend on how rarely the expression matches, but for the months it passes over.

use jiff::civil::{Date, DateTime, Time};

use super::field::{DayTerm, Set, SpecialDay, SpecialWeekday, Term, Unit, WeekdayTerm};
use super::parse::Fields;

/// The matching wall-clock times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    seconds: Set,
    minutes: Set,
    hours: Set,
    months: Set,
    days: Set,
    special_days: Vec<SpecialDay>,
    weekdays: Set,
    special_weekdays: Vec<SpecialWeekday>,
    /// Whether a day matches by either of its fields, instead of by both.
    either: bool,
    /// Whether the second, minute or hour has anything but single values.
    pub(super) is_interval: bool,
}

/// What the days of a month depend on. Sunday is 0.
#[derive(Clone, Copy)]
struct MonthShape {
    length: u8,
    starts_on: u8,
}

/// Hour, minute, second.
type TimeOfDay = (u8, u8, u8);

impl Pattern {
    pub(super) fn new(fields: &Fields) -> Self {
        let times = [&fields.seconds, &fields.minutes, &fields.hours];
        let (days, special_days) = split(&fields.days, |term| match *term {
            DayTerm::Plain(term) => Ok(term),
            DayTerm::Special(day) => Err(day),
        });
        let (weekdays, special_weekdays) = split(&fields.weekdays, |term| match *term {
            WeekdayTerm::Plain(term) => Ok(term),
            WeekdayTerm::Special(weekday) => Err(weekday),
        });
        Self {
            seconds: set(&fields.seconds, Unit::Second),
            minutes: set(&fields.minutes, Unit::Minute),
            hours: set(&fields.hours, Unit::Hour),
            months: set(&fields.months, Unit::Month),
            days: set(&days, Unit::Day),
            special_days,
            weekdays: set(&weekdays, Unit::Weekday),
            special_weekdays,
            either: fields.days_restricted && fields.weekdays_restricted,
            is_interval: times.into_iter().flatten().any(|term| !matches!(term, Term::One(_))),
        }
    }

    /// Whether any year has a matching day. There are 14 kinds of years: seven weekdays on which they
    /// may begin, common or leap.
    pub(super) fn ever_matches(&self) -> bool {
        const LENGTHS: [u8; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        (0..7).flat_map(|weekday| [(weekday, 0), (weekday, 1)]).any(|(weekday, leap)| {
            let mut starts_on = weekday;
            LENGTHS.into_iter().zip(1..).any(|(length, month)| {
                let length = if month == 2 { length + leap } else { length };
                let shape = MonthShape { length, starts_on };
                starts_on = (starts_on + length) % 7;
                self.months.has(month) && !self.days_of(shape).is_empty()
            })
        })
    }

    /// The first match from `from` (inclusive) to `until` (exclusive).
    pub(super) fn first_in(&self, from: DateTime, until: DateTime) -> Option<DateTime> {
        let (date, clock) = (from.date(), clock(from.time()));
        let today = self.has_day(date).then(|| self.time_at_or_after(clock)).flatten();
        let found = if let Some(clock) = today {
            at(date, clock)
        } else {
            let date = self.date_at_or_after(date.tomorrow().ok()?, until.date())?;
            at(date, self.time_at_or_after((0, 0, 0))?)
        };
        (found < until).then_some(found)
    }

    /// The last match from `from` (inclusive) to `until` (exclusive).
    pub(super) fn last_in(&self, from: DateTime, until: DateTime) -> Option<DateTime> {
        let newest = until.checked_sub(jiff::SignedDuration::from_secs(1)).ok()?;
        let (date, clock) = (newest.date(), clock(newest.time()));
        let today = self.has_day(date).then(|| self.time_at_or_before(clock)).flatten();
        let found = if let Some(clock) = today {
            at(date, clock)
        } else {
            let date = self.date_at_or_before(date.yesterday().ok()?, from.date())?;
            at(date, self.time_at_or_before((23, 59, 59))?)
        };
        (found >= from).then_some(found)
    }

    fn time_at_or_after(&self, (hour, minute, second): TimeOfDay) -> Option<TimeOfDay> {
        let (first_minute, first_second) = (self.minutes.at_or_after(0)?, self.seconds.at_or_after(0)?);
        if self.hours.has(hour) {
            if self.minutes.has(minute)
                && let Some(second) = self.seconds.at_or_after(second)
            {
                return Some((hour, minute, second));
            }
            if let Some(minute) = self.minutes.at_or_after(minute + 1) {
                return Some((hour, minute, first_second));
            }
        }
        Some((self.hours.at_or_after(hour + 1)?, first_minute, first_second))
    }

    fn time_at_or_before(&self, (hour, minute, second): TimeOfDay) -> Option<TimeOfDay> {
        let (last_minute, last_second) = (self.minutes.at_or_before(59)?, self.seconds.at_or_before(59)?);
        if self.hours.has(hour) {
            if self.minutes.has(minute)
                && let Some(second) = self.seconds.at_or_before(second)
            {
                return Some((hour, minute, second));
            }
            if let Some(minute) = minute.checked_sub(1).and_then(|minute| self.minutes.at_or_before(minute)) {
                return Some((hour, minute, last_second));
            }
        }
        let hour = hour.checked_sub(1).and_then(|hour| self.hours.at_or_before(hour))?;
        Some((hour, last_minute, last_second))
    }

    /// The first matching day from `from` to the end of the month of `until`.
    fn date_at_or_after(&self, from: Date, until: Date) -> Option<Date> {
        let (mut month, mut day) = (from.first_of_month(), from.day().unsigned_abs());
        while month <= until {
            if let Some(day) = self.days_in(month).at_or_after(day) {
                return on(month, day);
            }
            (month, day) = (month.last_of_month().tomorrow().ok()?, 1);
        }
        None
    }

    /// The last matching day up to `from`, not before the month of `until`.
    fn date_at_or_before(&self, from: Date, until: Date) -> Option<Date> {
        let (mut month, mut day) = (from.first_of_month(), from.day().unsigned_abs());
        while month.last_of_month() >= until {
            if let Some(day) = self.days_in(month).at_or_before(day) {
                return on(month, day);
            }
            (month, day) = (month.yesterday().ok()?.first_of_month(), 31);
        }
        None
    }

    fn has_day(&self, date: Date) -> bool {
        self.days_in(date.first_of_month()).has(date.day().unsigned_abs())
    }

    /// The matching days of the month that begins with `first`.
    fn days_in(&self, first: Date) -> Set {
        if !self.months.has(first.month().unsigned_abs()) {
            return Set::default();
        }
        self.days_of(MonthShape {
            length: first.days_in_month().unsigned_abs(),
            starts_on: first.weekday().to_sunday_zero_offset().unsigned_abs(),
        })
    }

    fn days_of(&self, month: MonthShape) -> Set {
        let special = self.special_days.iter().filter_map(|day| month.special_day(*day));
        let by_day = self.days.and(Set::span(1, month.length)).or(special.collect());
        let special = self.special_weekdays.iter().filter_map(|weekday| month.special_weekday(*weekday));
        let plain = (1..=month.length).filter(|day| self.weekdays.has(month.weekday(*day)));
        let by_weekday = plain.chain(special).collect();
        if self.either { by_day.or(by_weekday) } else { by_day.and(by_weekday) }
    }
}

/// The values of a list of terms.
fn set(terms: &[Term], unit: Unit) -> Set {
    terms.iter().fold(Set::default(), |all, term| all.or(term.set(unit)))
}

/// The plain terms of a list, and the others.
fn split<T, S>(terms: &[T], kind: impl Fn(&T) -> Result<Term, S>) -> (Vec<Term>, Vec<S>) {
    let plain = terms.iter().filter_map(|term| kind(term).ok()).collect();
    (plain, terms.iter().filter_map(|term| kind(term).err()).collect())
}

impl MonthShape {
    /// The day, if the month has it.
    fn special_day(self, day: SpecialDay) -> Option<u8> {
        match day {
            SpecialDay::Last { before } => self.length.checked_sub(before).filter(|day| *day > 0),
            SpecialDay::Workday(day) => (day <= self.length).then(|| self.workday_near(day)),
            SpecialDay::LastWorkday => Some(self.workday_near(self.length)),
        }
    }

    /// The day, if the month has it: a fifth Monday is not in every month.
    fn special_weekday(self, weekday: SpecialWeekday) -> Option<u8> {
        let on = |weekday| (1..=self.length).filter(move |day| self.weekday(*day) == weekday);
        match weekday {
            SpecialWeekday::Nth { weekday, nth } => on(weekday).nth(usize::from(nth) - 1),
            SpecialWeekday::Last(weekday) => on(weekday).next_back(),
        }
    }

    fn weekday(self, day: u8) -> u8 {
        (self.starts_on + day - 1) % 7
    }

    /// A Saturday gives way to the Friday before it and a Sunday to the Monday after it, but neither
    /// leaves the month.
    fn workday_near(self, day: u8) -> u8 {
        match self.weekday(day) {
            6 if day == 1 => 3,
            6 => day - 1,
            0 if day == self.length => day - 2,
            0 => day + 1,
            _ => day,
        }
    }
}

fn clock(time: Time) -> TimeOfDay {
    (time.hour().unsigned_abs(), time.minute().unsigned_abs(), time.second().unsigned_abs())
}

fn at(date: Date, (hour, minute, second): TimeOfDay) -> DateTime {
    let [hour, minute, second] = [hour, minute, second].map(u8::cast_signed);
    date.at(hour, minute, second, 0)
}

fn on(month: Date, day: u8) -> Option<Date> {
    Date::new(month.year(), month.month(), day.cast_signed()).ok()
}

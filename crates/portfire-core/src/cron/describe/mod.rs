//! An expression in words.
//!
//! 1. [`Outline`] is what there is to say, without a language: spellings that mean the same are one, and a
//!    step that does not divide its field evenly is no longer "every so many".
//! 2. `english.rs` and `chinese.rs` say it.
//!
//! Times are in 24 hours. A sentence says all that the expression says, and nothing about time zones.

mod chinese;
mod english;

use super::field::{DayTerm, Set, Term, Unit, WeekdayTerm};
use super::parse::Fields;

/// Most times of day that are told one by one: a line of text.
const TIMES_MAX: usize = 12;

/// A language in which an expression can be described.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    English,
    /// Chinese as it is written in Taiwan (繁體中文).
    TraditionalChinese,
}

pub(super) fn describe(fields: &Fields, language: Language) -> String {
    let outline = Outline::new(fields);
    match language {
        Language::English => english::sentence(&outline),
        Language::TraditionalChinese => chinese::sentence(&outline),
    }
}

/// What there is to say.
struct Outline {
    times: Times,
    days: Days,
    /// Empty for all months.
    months: Vec<Term>,
}

enum Times {
    /// Certain minutes of the day.
    Clock(Vec<ClockTerm>),
    /// Several minutes of an hour, at one second.
    Minutes { minutes: Vec<Term>, second: u8, hours: Vec<Term> },
    /// Several seconds of a minute.
    Seconds { seconds: Vec<Term>, minutes: Vec<Term>, hours: Vec<Term> },
}

enum ClockTerm {
    At(TimeOfDay),
    EveryHours { step: u8, minute: u8, second: u8 },
    Hours { first: TimeOfDay, last: TimeOfDay, step: u8 },
}

#[derive(Clone, Copy)]
struct TimeOfDay {
    hour: u8,
    minute: u8,
    second: u8,
}

enum Days {
    Every,
    OfMonth(Vec<DayTerm>),
    OfWeek(Vec<WeekdayTerm>),
    Either(Vec<DayTerm>, Vec<WeekdayTerm>),
    Both(Vec<DayTerm>, Vec<WeekdayTerm>),
}

impl Outline {
    fn new(fields: &Fields) -> Self {
        let months = plain(&fields.months, Unit::Month);
        Self {
            times: Times::new(fields),
            days: Days::new(fields),
            months: if is_all(&months) { Vec::new() } else { months },
        }
    }

    /// Whether the times go on day and night, so that "every day" need not be said.
    fn is_around_the_clock(&self) -> bool {
        match &self.times {
            Times::Clock(terms) => terms.iter().all(|term| matches!(term, ClockTerm::EveryHours { .. })),
            Times::Minutes { hours, .. } | Times::Seconds { hours, .. } => is_pace(hours),
        }
    }
}

impl Times {
    fn new(fields: &Fields) -> Self {
        let [seconds, minutes, hours] = [
            plain(&fields.seconds, Unit::Second),
            plain(&fields.minutes, Unit::Minute),
            plain(&fields.hours, Unit::Hour),
        ];
        let [Term::One(second)] = seconds[..] else {
            return Self::Seconds { seconds, minutes, hours };
        };
        if let [Term::One(minute)] = minutes[..] {
            return Self::Clock(hours.iter().map(|term| ClockTerm::new(*term, minute, second)).collect());
        }
        match (ones(&hours), ones(&minutes)) {
            (Some(hours), Some(minutes)) if hours.len() * minutes.len() <= TIMES_MAX => {
                let of_hour =
                    |hour| minutes.iter().map(move |minute| TimeOfDay { hour, minute: *minute, second });
                Self::Clock(hours.iter().flat_map(|hour| of_hour(*hour)).map(ClockTerm::At).collect())
            }
            _ => Self::Minutes { minutes, second, hours },
        }
    }
}

impl ClockTerm {
    fn new(hours: Term, minute: u8, second: u8) -> Self {
        let clock = |hour| TimeOfDay { hour, minute, second };
        match hours {
            Term::Every { step } => Self::EveryHours { step, minute, second },
            Term::One(hour) => Self::At(clock(hour)),
            Term::From { first, step } => Self::Hours { first: clock(first), last: clock(23), step },
            Term::Range { first, last, step } => Self::Hours { first: clock(first), last: clock(last), step },
        }
    }
}

impl Days {
    fn new(fields: &Fields) -> Self {
        let all_days = fields.days.contains(&DayTerm::Plain(Term::Every { step: 1 }));
        let all_weekdays = fields.weekdays.contains(&WeekdayTerm::Plain(Term::Every { step: 1 }));
        let (days, weekdays) =
            (fields.days.iter().copied().flat_map(day_terms).collect(), fields.weekdays.clone());
        let either = fields.days_restricted && fields.weekdays_restricted;
        match (all_days, all_weekdays) {
            (true, true) => Self::Every,
            (true, _) | (_, true) if either => Self::Every,
            (true, false) => Self::OfWeek(weekdays),
            (false, true) => Self::OfMonth(days),
            (false, false) if either => Self::Either(days, weekdays),
            (false, false) => Self::Both(days, weekdays),
        }
    }
}

/// Terms as they are told: all values as one `*`, single values in order, steps with the last value that
/// they reach.
fn plain(terms: &[Term], unit: Unit) -> Vec<Term> {
    let told: Vec<_> = terms.iter().flat_map(|term| plain_term(*term, unit)).collect();
    if told.contains(&Term::Every { step: 1 }) {
        return vec![Term::Every { step: 1 }];
    }
    match ones(&told) {
        Some(values) => values.into_iter().map(Term::One).collect(),
        None => told,
    }
}

fn plain_term(term: Term, unit: Unit) -> Vec<Term> {
    let length = unit.last() - unit.first() + 1;
    let is_named = !unit.names().is_empty();
    let (first, last_written, step) = match term {
        Term::One(_) | Term::Every { step: 1 } => return vec![term],
        Term::Every { step } if length.is_multiple_of(step) && !is_named => return vec![term],
        Term::Every { step } => (unit.first(), unit.last(), step),
        Term::From { first, step } => (first, unit.last(), step),
        Term::Range { first, last, step } => (first, last, step),
    };
    let span = if first <= last_written { last_written - first } else { length - (first - last_written) };
    // Two values are told as two values, and steps of what has names by name.
    if span / step < 2 || is_named && step > 1 {
        return members(term.set(unit)).map(Term::One).collect();
    }
    let last = unit.first() + (first - unit.first() + span / step * step) % length;
    vec![Term::Range { first, last, step }]
}

/// A step through the month is told by where it begins: where it ends depends on the month.
fn day_terms(term: DayTerm) -> Vec<DayTerm> {
    match term {
        DayTerm::Plain(plain @ (Term::Every { step } | Term::From { step, .. })) => {
            let days: Vec<_> = members(plain.set(Unit::Day)).collect();
            let few = step > 1 && days.len() < 3;
            let days = days.into_iter().map(|day| DayTerm::Plain(Term::One(day)));
            if few { days.collect() } else { vec![term] }
        }
        DayTerm::Plain(plain) => plain_term(plain, Unit::Day).into_iter().map(DayTerm::Plain).collect(),
        DayTerm::Special(_) => vec![term],
    }
}

fn is_all(terms: &[Term]) -> bool {
    terms == [Term::Every { step: 1 }]
}

/// Whether it is one pace round the whole field, so that the field above need not be told.
fn is_pace(terms: &[Term]) -> bool {
    matches!(terms, [Term::Every { .. }])
}

/// The values in order, if there are only single ones.
fn ones(terms: &[Term]) -> Option<Vec<u8>> {
    let single = |term: &Term| if let Term::One(value) = *term { Some(value) } else { None };
    let values = terms.iter().map(single).collect::<Option<Set>>()?;
    Some(members(values).collect())
}

fn members(set: Set) -> impl Iterator<Item = u8> {
    std::iter::successors(set.at_or_after(0), move |value| set.at_or_after(value + 1))
}

/// The plain weekdays as told: Monday first, because that is how a week of work is told.
fn weekdays(terms: &[WeekdayTerm]) -> Vec<Term> {
    let plain = terms.iter().filter_map(|term| match term {
        WeekdayTerm::Plain(term) => Some(plain_term(*term, Unit::Weekday)),
        WeekdayTerm::Special(_) => None,
    });
    let mut told: Vec<_> = plain.flatten().collect();
    if let Some(mut values) = ones(&told) {
        values.sort_by_key(|weekday| (weekday + 6) % 7);
        told = values.into_iter().map(Term::One).collect();
    }
    told
}

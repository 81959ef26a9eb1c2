//! From text to fields: everything that is refused is refused here.
//!
//! 1. The text as a whole is bounded: length, characters.
//! 2. A macro is replaced by the expression it stands for.
//! 3. Five or six fields are told apart by their count; each is a list of terms.
//! 4. Numbers are bounded before they are read, and checked against the range of their field.
//!
//! Whether the fields together can ever match is not asked here but in `pattern.rs`.

use super::field::{DayTerm, SpecialDay, SpecialWeekday, Term, Unit, WeekdayTerm};
use super::suggest::nearest;
use crate::limits::{CRON_BYTES_MAX, CRON_PARTS_MAX};

/// Most digits of a number: more than any range needs, so what is out of range is named as it is.
const DIGITS_MAX: usize = 4;

/// The macros, each with its expression.
const MACROS: [(&str, &str); 9] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
    ("@every_minute", "* * * * *"),
    ("@every_second", "* * * * * *"),
];

/// An expression as written, field by field. Without a field for seconds the second is 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) seconds: Vec<Term>,
    pub(super) minutes: Vec<Term>,
    pub(super) hours: Vec<Term>,
    pub(super) days: Vec<DayTerm>,
    pub(super) months: Vec<Term>,
    pub(super) weekdays: Vec<WeekdayTerm>,
    /// Whether the day-of-month field begins with something other than `*` or `?`.
    pub(super) days_restricted: bool,
    /// The same of the day-of-week field.
    pub(super) weekdays_restricted: bool,
}

/// What is wrong, and what to write instead.
type Refused<T> = Result<T, String>;

/// Reads an expression that has no space around it.
pub(super) fn parse(text: &str) -> Refused<Fields> {
    check_text(text)?;
    let expression = if text.starts_with('@') { expand(text)? } else { text };
    let parts: Vec<_> = expression.split([' ', '\t']).filter(|part| !part.is_empty()).collect();
    match parts[..] {
        [minute, hour, day, month, weekday] => fields(["0", minute, hour, day, month, weekday]),
        [second, minute, hour, day, month, weekday] => fields([second, minute, hour, day, month, weekday]),
        _ => Err(format!(
            "it has {} fields; write 5 (minute, hour, day of month, month, day of week) or 6 (second first)",
            parts.len()
        )),
    }
}

fn check_text(text: &str) -> Refused<()> {
    if text.len() > CRON_BYTES_MAX {
        return Err(format!("it is {} bytes long; {CRON_BYTES_MAX} are the limit", text.len()));
    }
    match text.chars().find(|c| *c != '\t' && !(' '..='~').contains(c)) {
        Some(strange) => Err(format!(
            "it has the character {strange:?}; write letters, digits, spaces and `* , - / ? # @` only"
        )),
        None => Ok(()),
    }
}

fn expand(text: &str) -> Refused<&'static str> {
    let found = MACROS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, expression)| *expression).ok_or_else(|| {
        let names = MACROS.map(|(name, _)| name);
        let guess = guess(text, &names);
        format!("`{text}` is not a macro{guess}; the macros are {}", names.join(" "))
    })
}

fn fields([second, minute, hour, day, month, weekday]: [&str; 6]) -> Refused<Fields> {
    let restricted = |field: &str| !field.starts_with(['*', '?']);
    Ok(Fields {
        seconds: list(Unit::Second, second, term)?,
        minutes: list(Unit::Minute, minute, term)?,
        hours: list(Unit::Hour, hour, term)?,
        days: list(Unit::Day, day, |_, part| day_term(part))?,
        months: list(Unit::Month, month, term)?,
        weekdays: list(Unit::Weekday, weekday, |_, part| weekday_term(part))?,
        days_restricted: restricted(day),
        weekdays_restricted: restricted(weekday),
    })
}

/// Reads the parts of a field; what is wrong with one is said with the name of the field.
fn list<T>(unit: Unit, field: &str, read: impl Fn(Unit, &str) -> Refused<T>) -> Refused<Vec<T>> {
    let count = field.split(',').count();
    let terms = if count > CRON_PARTS_MAX {
        Err(format!("the list has {count} parts; {CRON_PARTS_MAX} are the limit"))
    } else {
        let optional = matches!(unit, Unit::Day | Unit::Weekday);
        let field = if optional && field == "?" { "*" } else { field };
        field.split(',').map(|part| read(unit, part)).collect()
    };
    terms.map_err(|wrong| format!("{} `{field}`: {wrong}", unit.name()))
}

fn term(unit: Unit, part: &str) -> Refused<Term> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step_of(unit, step)?)),
        None => (part, None),
    };
    if range == "*" {
        return Ok(Term::Every { step: step.unwrap_or(1) });
    }
    let Some((first, last)) = range.split_once('-') else {
        let first = value(unit, range)?;
        return Ok(match step {
            Some(step) => Term::From { first: round(unit, first), step },
            None => Term::One(round(unit, first)),
        });
    };
    let (first, last, step) = (value(unit, first)?, value(unit, last)?, step.unwrap_or(1));
    // From Sunday to Sunday is the week, not a day.
    if unit == Unit::Weekday && (first, last) == (0, 7) {
        return Ok(Term::Every { step });
    }
    Ok(Term::Range { first: round(unit, first), last: round(unit, last), step })
}

/// Sunday written as 7 is 0.
fn round(unit: Unit, value: u8) -> u8 {
    if value > unit.last() { unit.first() } else { value }
}

fn day_term(part: &str) -> Refused<DayTerm> {
    let upper = part.to_ascii_uppercase();
    let special = if upper == "L" {
        SpecialDay::Last { before: 0 }
    } else if upper == "LW" {
        SpecialDay::LastWorkday
    } else if let Some(before) = upper.strip_prefix("L-") {
        let before = number(before, 1, 30).map_err(|wrong| format!("{wrong} after `L-`"))?;
        SpecialDay::Last { before }
    } else if let Some(day) = upper.strip_suffix('W') {
        SpecialDay::Workday(number(day, 1, 31).map_err(|wrong| format!("{wrong} before `W`"))?)
    } else {
        return term(Unit::Day, part).map(DayTerm::Plain);
    };
    Ok(DayTerm::Special(special))
}

fn weekday_term(part: &str) -> Refused<WeekdayTerm> {
    let weekday = |text| value(Unit::Weekday, text).map(|value| round(Unit::Weekday, value));
    let special = if let Some((day, nth)) = part.split_once('#') {
        let nth = number(nth, 1, 5).map_err(|wrong| format!("{wrong} after `#`"))?;
        SpecialWeekday::Nth { weekday: weekday(day)?, nth }
    } else if part.eq_ignore_ascii_case("L") {
        return Err("`L` needs a weekday here; write `FRIL` for the last Friday of the month".to_owned());
    } else if let Some(day) = part.strip_suffix(['L', 'l']) {
        SpecialWeekday::Last(weekday(day)?)
    } else {
        return term(Unit::Weekday, part).map(WeekdayTerm::Plain);
    };
    Ok(WeekdayTerm::Special(special))
}

fn step_of(unit: Unit, text: &str) -> Refused<u8> {
    number(text, 1, unit.step_max()).map_err(|wrong| format!("{wrong} as a step"))
}

/// A number or a name in the range of the field.
fn value(unit: Unit, text: &str) -> Refused<u8> {
    let names = unit.names();
    if !names.is_empty() && text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        let position = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let position = position.and_then(|position| u8::try_from(position).ok());
        return position.map(|position| unit.first() + position).ok_or_else(|| {
            format!("`{text}` is not a name{}; the names are {}", guess(text, names), names.join(" "))
        });
    }
    number(text, unit.first(), unit.last_written())
}

fn number(text: &str, first: u8, last: u8) -> Refused<u8> {
    let write = format!("write {first} to {last}");
    if text.is_empty() {
        return Err(format!("a value is missing; {write}"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("`{text}` is not a number; {write}"));
    }
    if text.len() > DIGITS_MAX {
        return Err(format!("a number of {} digits is too long; {write}", text.len()));
    }
    match text.parse::<u16>().map(u8::try_from) {
        Ok(Ok(value)) if (first..=last).contains(&value) => Ok(value),
        _ => Err(format!("{text} is out of range; {write}")),
    }
}

/// ` (did you mean MON?)`, or nothing.
fn guess(word: &str, names: &[&'static str]) -> String {
    let begins = |name: &&&str| word.get(..3).is_some_and(|start| name.eq_ignore_ascii_case(start));
    let known = names.iter().find(begins).copied();
    let known = known.or_else(|| nearest(word, names.iter().copied()));
    known.map(|name| format!(" (did you mean {name}?)")).unwrap_or_default()
}

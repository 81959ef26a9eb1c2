//! An outline in English: "At 02:00, every day".

use super::{ClockTerm, Days, Outline, TimeOfDay, Times, is_all, is_pace, ones, weekdays};
use crate::cron::field::{DayTerm, SpecialDay, SpecialWeekday, Term, WeekdayTerm};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

pub(super) fn sentence(outline: &Outline) -> String {
    let times = times(&outline.times);
    let sentence = match days(outline) {
        Some(days) => format!("{times}, {days}"),
        None => times,
    };
    let (first, rest) = sentence.split_at(1);
    first.to_uppercase() + rest
}

fn times(times: &Times) -> String {
    match times {
        Times::Clock(terms) => clock_terms(terms),
        Times::Minutes { minutes, second, hours } => {
            let pace = pace(minutes, "minute");
            let at_second = if *second == 0 { String::new() } else { format!(" at second {second}") };
            format!("{pace}{at_second}{}", of_hours(hours, is_pace(minutes)))
        }
        Times::Seconds { seconds, minutes, hours } => {
            let pace = pace(seconds, "second");
            if is_all(minutes) {
                let of = if is_pace(seconds) { "" } else { " of every minute" };
                return format!("{pace}{of}{}", of_hours(hours, true));
            }
            format!("{pace} {}{}", in_minutes(minutes), of_hours(hours, is_pace(minutes)))
        }
    }
}

fn clock_terms(terms: &[ClockTerm]) -> String {
    let mut at = Vec::new();
    let mut other = Vec::new();
    for term in terms {
        match *term {
            ClockTerm::At(time) => at.push(clock(time)),
            ClockTerm::EveryHours { step, minute, second } => other.push(every_hours(step, minute, second)),
            ClockTerm::Hours { first, last, step } => {
                other.push(format!("{} from {} to {}", every(step, "hour"), clock(first), clock(last)));
            }
        }
    }
    if !at.is_empty() {
        other.insert(0, format!("at {}", list(&at, "and")));
    }
    list(&other, "and")
}

fn every_hours(step: u8, minute: u8, second: u8) -> String {
    match (step, minute, second) {
        (_, 0, 0) => every(step, "hour"),
        (1, _, 0) => format!("at minute {minute} of every hour"),
        (1, _, _) => format!("at minute {minute}, second {second} of every hour"),
        (_, _, 0) => format!("every {step} hours at minute {minute}"),
        _ => format!("every {step} hours at minute {minute}, second {second}"),
    }
}

/// How often within the field above: "every 5 minutes", "at minutes 0 and 30".
fn pace(terms: &[Term], unit: &str) -> String {
    if let Some(values) = ones(terms) {
        return format!("at {}", numbered(&values, unit));
    }
    let parts = terms.iter().map(|term| match *term {
        Term::Every { step } => every(step, unit),
        Term::One(value) => format!("at {unit} {value}"),
        Term::From { first, step } => format!("{} from {unit} {first}", every(step, unit)),
        Term::Range { first, last, step } => format!("{} from {unit} {first} to {last}", every(step, unit)),
    });
    list(&parts.collect::<Vec<_>>(), "and")
}

fn in_minutes(terms: &[Term]) -> String {
    if let Some(values) = ones(terms) {
        return format!("in {}", numbered(&values, "minute"));
    }
    let parts = terms.iter().map(|term| match *term {
        Term::Every { step } => format!("in every {} minute", ordinal(step)),
        Term::One(value) => format!("in minute {value}"),
        Term::Range { first, last, step: 1 } => format!("in minutes {first} to {last}"),
        Term::From { first, step } => format!("in every {} minute from {first}", ordinal(step)),
        Term::Range { first, last, step } => {
            format!("in every {} minute from {first} to {last}", ordinal(step))
        }
    });
    list(&parts.collect::<Vec<_>>(), "and")
}

/// In which hours. All of them need no word after a pace that goes round the hour.
fn of_hours(terms: &[Term], after_pace: bool) -> String {
    if is_all(terms) {
        return if after_pace { String::new() } else { " of every hour".to_owned() };
    }
    let parts = terms.iter().map(|term| match *term {
        Term::Every { step } | Term::From { step, .. } => format!("in every {} hour", ordinal(step)),
        Term::One(hour) => format!("between {hour:02}:00 and {hour:02}:59"),
        Term::Range { first, last, step: 1 } => format!("between {first:02}:00 and {last:02}:59"),
        Term::Range { first, last, step } => {
            format!("in every {} hour from {first:02}:00 to {last:02}:59", ordinal(step))
        }
    });
    format!(" {}", list(&parts.collect::<Vec<_>>(), "and"))
}

/// On which days; nothing if the sentence is complete without.
fn days(outline: &Outline) -> Option<String> {
    let (in_months, of_months) = match &outline.months[..] {
        [] => (String::new(), " of every month".to_owned()),
        [Term::Range { .. }] => {
            let months = months(&outline.months);
            (format!(" from {months}"), format!(" of every month from {months}"))
        }
        _ => (format!(" in {}", months(&outline.months)), format!(" of {}", months(&outline.months))),
    };
    Some(match &outline.days {
        Days::Every if !outline.is_around_the_clock() => format!("every day{in_months}"),
        Days::Every => in_months.strip_prefix(' ')?.to_owned(),
        Days::OfMonth(days) => format!("on {}{of_months}", days_of_month(days)),
        Days::OfWeek(weekdays) => days_of_week(weekdays, &in_months, &of_months),
        Days::Either(days, weekdays) => {
            let days = days_of_month(days);
            format!("on {days}{of_months} or {}", days_of_week(weekdays, &in_months, &of_months))
        }
        Days::Both(days, weekdays) => {
            let days = days_of_month(days);
            format!("on {days}{of_months} if it is {}", list(&weekday_names(weekdays), "or"))
        }
    })
}

fn days_of_month(terms: &[DayTerm]) -> String {
    let name = |term: &DayTerm| match *term {
        DayTerm::Plain(Term::Every { step }) => format!("every {} day from the 1st", ordinal(step)),
        DayTerm::Plain(Term::One(day)) => format!("the {}", ordinal(day)),
        DayTerm::Plain(Term::From { first, step: 1 }) => format!("every day from the {}", ordinal(first)),
        DayTerm::Plain(Term::From { first, step }) => {
            format!("every {} day from the {}", ordinal(step), ordinal(first))
        }
        DayTerm::Plain(Term::Range { first, last, step: 1 }) => {
            format!("the {} to the {}", ordinal(first), ordinal(last))
        }
        DayTerm::Plain(Term::Range { first, last, step }) => {
            format!("every {} day from the {} to the {}", ordinal(step), ordinal(first), ordinal(last))
        }
        DayTerm::Special(SpecialDay::Last { before: 0 }) => "the last day".to_owned(),
        DayTerm::Special(SpecialDay::Last { before: 1 }) => "the day before the last day".to_owned(),
        DayTerm::Special(SpecialDay::Last { before }) => format!("the day {before} days before the last day"),
        DayTerm::Special(SpecialDay::Workday(day)) => format!("the workday nearest to the {}", ordinal(day)),
        DayTerm::Special(SpecialDay::LastWorkday) => "the last workday".to_owned(),
    };
    list(&terms.iter().map(name).collect::<Vec<_>>(), "and")
}

fn days_of_week(terms: &[WeekdayTerm], in_months: &str, of_months: &str) -> String {
    let mut parts = Vec::new();
    let plain: Vec<_> = weekdays(terms).into_iter().map(weekday).collect();
    if !plain.is_empty() {
        let every = if plain[0].contains(" to ") { "" } else { "every " };
        parts.push(format!("{every}{}{in_months}", list(&plain, "and")));
    }
    let special: Vec<_> = terms.iter().copied().filter_map(special_weekday).collect();
    if !special.is_empty() {
        parts.push(format!("on {}{of_months}", list(&special, "and")));
    }
    list(&parts, "and")
}

fn weekday_names(terms: &[WeekdayTerm]) -> Vec<String> {
    let plain = weekdays(terms).into_iter().map(weekday);
    plain.chain(terms.iter().copied().filter_map(special_weekday)).collect()
}

fn weekday(term: Term) -> String {
    let name = |weekday: u8| WEEKDAYS[usize::from(weekday)];
    match term {
        Term::Range { first, last, .. } => format!("{} to {}", name(first), name(last)),
        Term::One(day) | Term::From { first: day, .. } => name(day).to_owned(),
        Term::Every { .. } => "any day".to_owned(),
    }
}

fn special_weekday(term: WeekdayTerm) -> Option<String> {
    match term {
        WeekdayTerm::Plain(_) => None,
        WeekdayTerm::Special(SpecialWeekday::Nth { weekday, nth }) => {
            Some(format!("the {} {}", ordinal(nth), WEEKDAYS[usize::from(weekday)]))
        }
        WeekdayTerm::Special(SpecialWeekday::Last(weekday)) => {
            Some(format!("the last {}", WEEKDAYS[usize::from(weekday)]))
        }
    }
}

fn months(terms: &[Term]) -> String {
    let name = |month: u8| MONTHS[usize::from(month) - 1];
    let names = terms.iter().map(|term| match *term {
        Term::Range { first, last, .. } => format!("{} to {}", name(first), name(last)),
        Term::One(month) | Term::From { first: month, .. } => name(month).to_owned(),
        Term::Every { .. } => "every month".to_owned(),
    });
    list(&names.collect::<Vec<_>>(), "and")
}

fn clock(TimeOfDay { hour, minute, second }: TimeOfDay) -> String {
    match second {
        0 => format!("{hour:02}:{minute:02}"),
        _ => format!("{hour:02}:{minute:02}:{second:02}"),
    }
}

fn every(step: u8, unit: &str) -> String {
    if step == 1 { format!("every {unit}") } else { format!("every {step} {unit}s") }
}

/// "minute 5", "minutes 0, 15 and 30".
fn numbered(values: &[u8], unit: &str) -> String {
    let plural = if values.len() == 1 { "" } else { "s" };
    format!("{unit}{plural} {}", list(&values.iter().map(u8::to_string).collect::<Vec<_>>(), "and"))
}

fn ordinal(number: u8) -> String {
    let ending = match (number % 10, number) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// "a", "a and b", "a, b and c".
fn list(parts: &[String], word: &str) -> String {
    match parts {
        [] => String::new(),
        [part] => part.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

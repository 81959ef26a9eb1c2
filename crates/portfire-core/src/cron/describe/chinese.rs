//! An outline in the Chinese of Taiwan: 「每天 02:00」. Days come before times, and a space stands between
//! Chinese and digits.

use super::{ClockTerm, Days, Outline, TimeOfDay, Times, is_all, is_pace, ones, weekdays};
use crate::cron::field::{DayTerm, SpecialDay, SpecialWeekday, Term, WeekdayTerm};

const WEEKDAYS: [&str; 7] = ["日", "一", "二", "三", "四", "五", "六"];

pub(super) fn sentence(outline: &Outline) -> String {
    let times = times(&outline.times);
    match days(outline) {
        Some(days) if days.ends_with('）') => days + &times,
        Some(days) if times.starts_with(|c: char| c.is_ascii_digit()) => format!("{days} {times}"),
        Some(days) => format!("{days}，{times}"),
        None => times,
    }
}

fn times(times: &Times) -> String {
    match times {
        Times::Clock(terms) => list(&terms.iter().map(clock_term).collect::<Vec<_>>()),
        Times::Minutes { minutes, second, hours } => {
            let of = if is_pace(minutes) { "" } else { "每小時" };
            let at_second = if *second == 0 { String::new() } else { format!("的第 {second} 秒") };
            format!("{}{of}{}{at_second}", in_hours(hours), pace(minutes, "分", "分鐘"))
        }
        Times::Seconds { seconds, minutes, hours } => {
            let pace = pace(seconds, "秒", "秒");
            let of_minute = if is_pace(seconds) || !is_all(minutes) { "" } else { "每分鐘" };
            format!("{}{}{of_minute}{pace}", in_hours(hours), in_minutes(minutes))
        }
    }
}

fn clock_term(term: &ClockTerm) -> String {
    match *term {
        ClockTerm::At(time) => clock(time),
        ClockTerm::Hours { first, last, step } => {
            format!("{} 到 {} {}", clock(first), clock(last), every(step, "小時"))
        }
        ClockTerm::EveryHours { step, minute, second } => match (minute, second) {
            (0, 0) => every(step, "小時"),
            (_, 0) => format!("{}的第 {minute} 分", every(step, "小時")),
            _ => format!("{}的第 {minute} 分 {second} 秒", every(step, "小時")),
        },
    }
}

/// How often within the field above: 「每 5 分鐘」, 「第 0 和 30 分」.
fn pace(terms: &[Term], point: &str, unit: &str) -> String {
    if let Some(values) = ones(terms) {
        return format!("第 {} {point}", numbers(&values));
    }
    let parts = terms.iter().map(|term| match *term {
        Term::Every { step } => every(step, unit),
        Term::One(value) => format!("第 {value} {point}"),
        Term::From { first, step } => format!("從第 {first} {point}起{}", every(step, unit)),
        Term::Range { first, last, step } => {
            format!("第 {first} 到 {last} {point}{}", every(step, unit))
        }
    });
    list(&parts.collect::<Vec<_>>())
}

fn in_minutes(terms: &[Term]) -> String {
    if is_all(terms) {
        return String::new();
    }
    if let Some(values) = ones(terms) {
        return format!("每小時第 {} 分，", numbers(&values));
    }
    let parts = terms.iter().map(|term| match *term {
        Term::Every { step } => format!("每 {step} 分鐘的第 1 分鐘"),
        Term::One(value) => format!("每小時第 {value} 分"),
        Term::Range { first, last, step: 1 } => format!("每小時第 {first} 到 {last} 分"),
        Term::From { first, step } => format!("每小時從第 {first} 分起每 {step} 分鐘的第 1 分鐘"),
        Term::Range { first, last, step } => {
            format!("每小時第 {first} 到 {last} 分每 {step} 分鐘的第 1 分鐘")
        }
    });
    format!("{}，", list(&parts.collect::<Vec<_>>()))
}

fn in_hours(terms: &[Term]) -> String {
    if is_all(terms) {
        return String::new();
    }
    let parts = terms.iter().map(|term| match *term {
        Term::Every { step } | Term::From { step, .. } => format!("每 {step} 小時的第 1 個小時"),
        Term::One(hour) => format!("{hour:02}:00 到 {hour:02}:59"),
        Term::Range { first, last, step: 1 } => format!("{first:02}:00 到 {last:02}:59"),
        Term::Range { first, last, step } => {
            format!("{first:02}:00 到 {last:02}:59 每 {step} 小時的第 1 個小時")
        }
    });
    format!("{}，", list(&parts.collect::<Vec<_>>()))
}

/// On which days; nothing if the sentence is complete without.
fn days(outline: &Outline) -> Option<String> {
    let months = (!outline.months.is_empty()).then(|| format!("每年 {}", months(&outline.months)));
    Some(match &outline.days {
        Days::Every => match months {
            Some(months) if outline.is_around_the_clock() => months,
            Some(months) => format!("{months}的每天"),
            None if outline.is_around_the_clock() => return None,
            None => "每天".to_owned(),
        },
        Days::OfMonth(days) => days_of_month(days, months.as_deref()),
        Days::OfWeek(weekdays) => days_of_week(weekdays, months.as_deref()),
        Days::Either(days, weekdays) => {
            format!(
                "{}或{}",
                days_of_month(days, months.as_deref()),
                days_of_week(weekdays, months.as_deref())
            )
        }
        Days::Both(days, weekdays) => {
            format!(
                "{}（須為{}）",
                days_of_month(days, months.as_deref()),
                weekday_names(weekdays).join("或")
            )
        }
    })
}

fn days_of_month(terms: &[DayTerm], months: Option<&str>) -> String {
    let names = list(&terms.iter().copied().map(day_of_month).collect::<Vec<_>>());
    let gap = if names.starts_with(|c: char| c.is_ascii_digit()) { " " } else { "" };
    match months {
        None => format!("每月{gap}{names}"),
        Some(months) if months.contains(['、', '和', '到']) || gap.is_empty() => {
            format!("{months}的{gap}{names}")
        }
        Some(months) => format!("{months}{gap}{names}"),
    }
}

fn day_of_month(term: DayTerm) -> String {
    match term {
        DayTerm::Plain(Term::Every { step }) => format!("從 1 號起每 {step} 天"),
        DayTerm::Plain(Term::One(day)) => format!("{day} 號"),
        DayTerm::Plain(Term::From { first, step: 1 }) => format!("從 {first} 號起每天"),
        DayTerm::Plain(Term::From { first, step }) => format!("從 {first} 號起每 {step} 天"),
        DayTerm::Plain(Term::Range { first, last, step: 1 }) => format!("{first} 號到 {last} 號"),
        DayTerm::Plain(Term::Range { first, last, step }) => format!("{first} 號到 {last} 號每 {step} 天"),
        DayTerm::Special(SpecialDay::Last { before: 0 }) => "最後一天".to_owned(),
        DayTerm::Special(SpecialDay::Last { before }) => format!("倒數第 {} 天", before + 1),
        DayTerm::Special(SpecialDay::Workday(day)) => format!("最接近 {day} 號的工作日"),
        DayTerm::Special(SpecialDay::LastWorkday) => "最後一個工作日".to_owned(),
    }
}

fn days_of_week(terms: &[WeekdayTerm], months: Option<&str>) -> String {
    let of_months = months.map(|months| format!("{months}的")).unwrap_or_default();
    let plain = weekdays(terms);
    let short = plain.iter().map(|term| match term {
        Term::One(weekday) => Some(WEEKDAYS[usize::from(*weekday)]),
        _ => None,
    });
    let mut parts = Vec::new();
    if let Some(names) = short.collect::<Option<Vec<_>>>().filter(|names| !names.is_empty()) {
        parts.push(format!("{of_months}每週{}", names.join("、")));
    } else if !plain.is_empty() {
        parts.push(format!("{of_months}{}", list(&plain.into_iter().map(weekday).collect::<Vec<_>>())));
    }
    let special: Vec<_> = terms.iter().copied().filter_map(special_weekday).collect();
    if !special.is_empty() {
        let of_months = if months.is_some() { of_months.as_str() } else { "每月" };
        parts.push(format!("{of_months}{}", list(&special)));
    }
    list(&parts)
}

fn weekday_names(terms: &[WeekdayTerm]) -> Vec<String> {
    let plain = weekdays(terms).into_iter().map(weekday);
    plain.chain(terms.iter().copied().filter_map(special_weekday)).collect()
}

fn weekday(term: Term) -> String {
    let name = |weekday: u8| format!("週{}", WEEKDAYS[usize::from(weekday)]);
    match term {
        Term::Range { first, last, .. } => format!("{}到{}", name(first), name(last)),
        Term::One(day) | Term::From { first: day, .. } => name(day),
        Term::Every { .. } => "任何一天".to_owned(),
    }
}

fn special_weekday(term: WeekdayTerm) -> Option<String> {
    match term {
        WeekdayTerm::Plain(_) => None,
        WeekdayTerm::Special(SpecialWeekday::Nth { weekday, nth }) => {
            Some(format!("第 {nth} 個週{}", WEEKDAYS[usize::from(weekday)]))
        }
        WeekdayTerm::Special(SpecialWeekday::Last(weekday)) => {
            Some(format!("最後一個週{}", WEEKDAYS[usize::from(weekday)]))
        }
    }
}

fn months(terms: &[Term]) -> String {
    let names = terms.iter().map(|term| match *term {
        Term::Range { first, last, .. } => format!("{first} 月到 {last} 月"),
        Term::One(month) | Term::From { first: month, .. } => format!("{month} 月"),
        Term::Every { .. } => "每月".to_owned(),
    });
    list(&names.collect::<Vec<_>>())
}

fn clock(TimeOfDay { hour, minute, second }: TimeOfDay) -> String {
    match second {
        0 => format!("{hour:02}:{minute:02}"),
        _ => format!("{hour:02}:{minute:02}:{second:02}"),
    }
}

fn every(step: u8, unit: &str) -> String {
    if step == 1 { format!("每{unit}") } else { format!("每 {step} {unit}") }
}

/// 「0、15 和 30」.
fn numbers(values: &[u8]) -> String {
    list(&values.iter().map(u8::to_string).collect::<Vec<_>>())
}

/// 「甲」, 「甲和乙」, 「甲、乙和丙」, with a space between Chinese and digits.
fn list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [part] => part.clone(),
        [first @ .., last] => {
            let first = first.join("、");
            let before = if first.ends_with(|c: char| c.is_ascii()) { " " } else { "" };
            let after = if last.starts_with(|c: char| c.is_ascii()) { " " } else { "" };
            format!("{first}{before}和{after}{last}")
        }
    }
}

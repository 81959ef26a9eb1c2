//! Cron against an oracle that is too simple to be wrong: it walks a wall clock step by step.
//!
//! 1. A [`Walk`] asks the zone for its offset at every minute (or second) of a window, and notes what the
//!    wall clock shows, what it skips, and whether it has shown or skipped that before.
//! 2. An [`Oracle`] reads the expression again, with its own reading of each field and each date.
//! 3. The rule is applied as it is documented: a time that is skipped occurs at the first instant after
//!    it, once; a time that comes again occurs again if the expression is an interval.
//! 4. `next_after` and `previous_before` must give the same.
//!
//! A case is one expression in one zone over all changes of one year, from 25 hours before each to 25 hours
//! after: one in ten by the second, from 75 minutes before to 75 after. Whole years are walked for one in
//! 2,000. 50,000 cases run by default; `PORTFIRE_CRON_CASES` sets another number. A case depends only on its
//! place and its number there.

use std::collections::BTreeMap;
use std::iter;
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::civil::{Date, Weekday};
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use portfire_core::{Cron, Dice, Timestamp, Zone};

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

static PLACES: LazyLock<Vec<Place>> = LazyLock::new(places);

/// Fewest cases for which it is worth walking a place.
const CASES_PER_PLACE: u64 = 16;

/// Years outside 2024–2030 that are worth a visit: lost and doubled days, odd sizes, changes at midnight.
const OLD_YEARS: [(&str, i16); 10] = [
    ("Pacific/Apia", 2011),
    ("Pacific/Fakaofo", 2011),
    ("Pacific/Kwajalein", 1993),
    ("America/Caracas", 2007),
    ("America/Caracas", 2016),
    ("Asia/Pyongyang", 2018),
    ("Antarctica/Casey", 2020),
    ("Australia/Lord_Howe", 1985),
    ("Asia/Kathmandu", 1986),
    ("Africa/Cairo", 2010),
];

fn cases() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the number of cases is the wish of whoever runs the test")]
    let wish = std::env::var("PORTFIRE_CRON_CASES").ok();
    wish.map_or(50_000, |wish| wish.parse().expect("PORTFIRE_CRON_CASES is a number"))
}

/// Seconds from the epoch to the beginning of the year in UTC.
fn year_start(year: i16) -> i64 {
    Offset::UTC.to_timestamp(Date::constant(year, 1, 1).at(0, 0, 0, 0)).unwrap().as_second()
}

fn offset(zone: &TimeZone, instant: i64) -> i64 {
    i64::from(zone.to_offset(jiff::Timestamp::from_second(instant).unwrap()).seconds())
}

/// The changes of a year, found by looking once a day and halving where two looks differ.
fn changes(zone: &TimeZone, year: i16) -> Vec<i64> {
    let mut found = Vec::new();
    let (mut before, end) = (year_start(year), year_start(year + 1));
    while before < end {
        let (mut low, mut high) = (before, before + DAY);
        if offset(zone, low) != offset(zone, high) {
            while high - low > 1 {
                let middle = i64::midpoint(low, high);
                if offset(zone, middle) == offset(zone, low) { low = middle } else { high = middle }
            }
            found.push(high);
        }
        before += DAY;
    }
    found
}

/// A zone in a year with its changes.
struct Place {
    name: String,
    rules: TimeZone,
    changes: Vec<i64>,
}

fn places() -> Vec<Place> {
    let database = TimeZoneDatabase::bundled();
    let zones = database.available().map(|name| name.as_str().to_owned());
    let recent = zones.flat_map(|name| (2024..=2030).map(move |year| (name.clone(), year)));
    let old = OLD_YEARS.map(|(name, year)| (name.to_owned(), year));
    let place = |(name, year): (String, i16)| {
        let rules = database.get(&name).unwrap();
        let changes = changes(&rules, year);
        Place { name, rules, changes }
    };
    old.into_iter().chain(recent).map(place).filter(|place| !place.changes.is_empty()).collect()
}

fn clock(wall: i64) -> [usize; 3] {
    let second = usize::try_from(wall.rem_euclid(DAY)).unwrap();
    [second / 3_600, second / 60 % 60, second % 60]
}

/// What the wall clock does at one step.
struct Step {
    instant: i64,
    wall: i64,
    /// Hour, minute and second of `wall`.
    clock: [usize; 3],
    /// Walls that are jumped over on arriving here.
    skipped: Range<i64>,
    /// The furthest the clock had come before.
    passed: i64,
}

/// Every step of a window.
struct Walk {
    window: Range<i64>,
    steps: Vec<Step>,
    unit: usize,
}

impl Walk {
    fn new(rules: &TimeZone, window: Range<i64>, unit: i64) -> Self {
        let mut steps: Vec<Step> = Vec::new();
        let mut instant = window.start;
        let mut due = instant + offset(rules, instant);
        let mut passed = due;
        while instant < window.end {
            let wall = instant + offset(rules, instant);
            assert_eq!(wall % unit, 0, "the steps of the walk are too long for this zone");
            steps.push(Step { instant, wall, clock: clock(wall), skipped: due..wall, passed });
            (instant, due) = (instant + unit, wall + unit);
            passed = passed.max(due);
        }
        Self { window, steps, unit: usize::try_from(unit).unwrap() }
    }

    fn around(rules: &TimeZone, change: i64, reach: i64, unit: i64) -> Self {
        assert_eq!(change % unit, 0, "the steps of the walk are too long for this zone");
        Self::new(rules, change - reach..change + reach, unit)
    }
}

/// The expression, read again.
struct Oracle {
    seconds: Vec<bool>,
    minutes: Vec<bool>,
    hours: Vec<bool>,
    months: Vec<bool>,
    day: String,
    weekday: String,
    is_interval: bool,
    /// Days since the epoch that were asked for.
    known: BTreeMap<i64, bool>,
}

impl Oracle {
    fn new(expression: &str) -> Self {
        let upper = expression.to_uppercase();
        let mut fields: Vec<&str> = upper.split(' ').collect();
        if fields.len() == 5 {
            fields.insert(0, "0");
        }
        let table = |field: &str, low, high| {
            let values = values(field, low, high);
            (0..=high).map(|value| values.contains(&value)).collect()
        };
        Self {
            seconds: table(fields[0], 0, 59),
            minutes: table(fields[1], 0, 59),
            hours: table(fields[2], 0, 23),
            months: table(fields[4], 1, 12),
            day: fields[3].to_owned(),
            weekday: fields[5].to_owned(),
            is_interval: fields[..3].iter().any(|field| field.contains(['*', '-', '/'])),
            known: BTreeMap::new(),
        }
    }

    fn matches(&mut self, wall: i64) -> bool {
        self.matches_clock(clock(wall)) && self.matches_day(wall.div_euclid(DAY))
    }

    fn matches_clock(&self, [hour, minute, second]: [usize; 3]) -> bool {
        self.seconds[second] && self.minutes[minute] && self.hours[hour]
    }

    fn matches_day(&mut self, days: i64) -> bool {
        if let Some(known) = self.known.get(&days) {
            return *known;
        }
        let date = Offset::UTC.to_datetime(jiff::Timestamp::from_second(days * DAY).unwrap()).date();
        let matches = self.matches_date(date);
        self.known.insert(days, matches);
        matches
    }

    fn matches_date(&self, date: Date) -> bool {
        let by_day = self.day.split(',').any(|part| day_matches(part, date));
        let by_weekday = self.weekday.split(',').any(|part| weekday_matches(part, date));
        let free = |field: &str| field.starts_with('*') || field.starts_with('?');
        let day =
            if free(&self.day) || free(&self.weekday) { by_day && by_weekday } else { by_day || by_weekday };
        self.months[usize::from(date.month().unsigned_abs())] && day
    }

    /// The instants of a walk at which the expression occurs, by the rule as documented.
    fn occurrences(&mut self, walk: &Walk, tally: &mut Tally) -> Vec<i64> {
        let mut found = Vec::new();
        for step in &walk.steps {
            // Most steps are at no time that matters on any day.
            if step.skipped.is_empty() && !self.matches_clock(step.clock) {
                continue;
            }
            let again = step.wall < step.passed && self.matches(step.wall);
            let now = step.wall >= step.passed && self.matches(step.wall);
            let unseen = |wall: &i64| self.is_interval || *wall >= step.passed;
            let skipped: Vec<_> = step.skipped.clone().step_by(walk.unit).filter(unseen).collect();
            let jumped = skipped.into_iter().any(|wall| self.matches(wall));
            tally.moved += u64::from(jumped && !now);
            tally.repeated += u64::from(again && self.is_interval);
            tally.withheld += u64::from(again && !self.is_interval);
            if now || jumped || again && self.is_interval {
                found.push(step.instant);
            }
        }
        found
    }
}

/// How often each row of the rule was met: a comparison that never meets one proves nothing about it.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    cases: u64,
    compared: u64,
    moved: u64,
    repeated: u64,
    withheld: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.compared += other.compared;
        self.moved += other.moved;
        self.repeated += other.repeated;
        self.withheld += other.withheld;
    }
}

fn number(text: &str) -> u32 {
    let names = [
        "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL",
        "AUG", "SEP", "OCT", "NOV", "DEC",
    ];
    match names.iter().position(|name| *name == text) {
        Some(weekday @ 0..7) => u32::try_from(weekday).unwrap(),
        Some(month) => u32::try_from(month).unwrap() - 6,
        None => text.parse().unwrap(),
    }
}

/// The values of a field of plain parts, counted one by one from the first to the last of each part.
fn values(field: &str, low: u32, high: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for part in field.split(',') {
        let (range, step) = part.split_once('/').unwrap_or((part, ""));
        let step = if step.is_empty() { 1 } else { number(step) };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (number(first), number(last)),
            None if range == "*" || range == "?" => (low, high),
            None if part.contains('/') => (number(range), high),
            None => (number(range), number(range)),
        };
        let (mut value, mut count) = (first, 0);
        loop {
            if count % step == 0 {
                found.push(value);
            }
            if value == last {
                break;
            }
            value = if value == high { low } else { value + 1 };
            count += 1;
        }
    }
    found
}

fn is_workday(date: Date) -> bool {
    !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn workdays(date: Date) -> impl Iterator<Item = i8> {
    let month = (1..=date.days_in_month()).map(move |day| Date::new(date.year(), date.month(), day).unwrap());
    month.filter(|date| is_workday(*date)).map(Date::day)
}

fn day_matches(part: &str, date: Date) -> bool {
    if part == "L" || part.starts_with("L-") {
        let before = part.strip_prefix("L-").map_or(0, |before| number(before) as i8);
        return date.day() + before == date.days_in_month();
    }
    if part == "LW" {
        return workdays(date).max() == Some(date.day());
    }
    if let Some(day) = part.strip_suffix('W') {
        let day = number(day) as i8;
        let nearest = workdays(date).min_by_key(|workday| (workday - day).abs());
        return day <= date.days_in_month() && nearest == Some(date.day());
    }
    values(part, 1, 31).contains(&u32::from(date.day().unsigned_abs()))
}

fn weekday_matches(part: &str, date: Date) -> bool {
    let weekday = u32::from(date.weekday().to_sunday_zero_offset().unsigned_abs());
    if let Some((name, nth)) = part.split_once('#') {
        return number(name) % 7 == weekday && (date.day() - 1) / 7 + 1 == number(nth) as i8;
    }
    if let Some(name) = part.strip_suffix('L') {
        return number(name) % 7 == weekday && date.day() + 7 > date.days_in_month();
    }
    let (range, step) = part.split_once('/').unwrap_or((part, "1"));
    let range = if matches!(range, "0-7" | "SUN-7") { "*".to_owned() } else { range.replace('7', "0") };
    let single = !part.contains('/') && !range.contains(['-', '*', '?']);
    let plain = if single { range } else { format!("{range}/{step}") };
    values(&plain, 0, 6).contains(&weekday)
}

/// Expressions of the whole grammar, with a liking for the small hours, in which clocks are changed.
struct Grammar<'a>(&'a mut Dice);

impl Grammar<'_> {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    fn expression(&mut self, with_seconds: bool) -> String {
        loop {
            let is_fixed = self.below(2) == 0;
            let mut fields = vec![self.time(59, 60, is_fixed), self.time(23, 4, is_fixed)];
            if with_seconds {
                fields.insert(0, self.time(59, 60, is_fixed));
            }
            fields.push(self.day());
            fields.push(if self.below(4) == 0 { self.list(1, 12, 12, 11) } else { "*".to_owned() });
            fields.push(self.weekday());
            let expression = fields.join(" ");
            let expression = if self.below(4) == 0 { expression.to_lowercase() } else { expression };
            if Cron::parse(&expression).is_ok() {
                return expression;
            }
        }
    }

    /// A field of a time of day; mostly values below `liked`.
    fn time(&mut self, last: u64, liked: u64, is_fixed: bool) -> String {
        match self.below(8) {
            0..4 if is_fixed => self.below(liked).to_string(),
            _ if is_fixed => format!("{},{}", self.below(liked), self.below(last + 1)),
            0 | 1 => "*".to_owned(),
            2 => format!("*/{}", 1 + self.below(last)),
            3 | 4 => self.below(liked).to_string(),
            5 => format!("{},{}", self.below(liked), self.below(last + 1)),
            _ => self.list(0, last, liked, last),
        }
    }

    fn list(&mut self, first: u64, last: u64, liked: u64, step_max: u64) -> String {
        let parts = 1 + self.below(3);
        (0..parts).map(|_| self.part(first, last, liked, step_max)).collect::<Vec<_>>().join(",")
    }

    fn part(&mut self, first: u64, last: u64, liked: u64, step_max: u64) -> String {
        let bound = if self.below(4) == 0 { last - first + 1 } else { liked };
        let from = first + self.below(bound);
        let to = first + self.below(last - first + 1);
        let step = 1 + self.below(step_max);
        match self.below(6) {
            0 | 1 => from.to_string(),
            2 | 3 => format!("{from}-{to}"),
            4 => format!("{from}-{to}/{step}"),
            _ => format!("{from}/{step}"),
        }
    }

    fn day(&mut self) -> String {
        let part = |it: &mut Self| match it.below(5) {
            0 => ["L", "LW"][it.below(2) as usize].to_owned(),
            1 => format!("L-{}", 1 + it.below(30)),
            2 => format!("{}W", 1 + it.below(31)),
            _ => it.part(1, 31, 31, 31),
        };
        match self.below(10) {
            0..7 => ["*", "?"][self.below(2) as usize].to_owned(),
            7 => format!("*/{}", 1 + self.below(31)),
            8 => format!("{},{}", part(self), part(self)),
            _ => part(self),
        }
    }

    fn weekday(&mut self) -> String {
        let name = |it: &mut Self| match it.below(2) {
            0 => it.below(8).to_string(),
            _ => ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"][it.below(7) as usize].to_owned(),
        };
        let part = |it: &mut Self| match it.below(5) {
            0 => format!("{}#{}", name(it), 1 + it.below(5)),
            1 => format!("{}L", name(it)),
            2 => format!("{}-{}", name(it), name(it)),
            3 => name(it),
            _ => it.part(0, 7, 8, 7),
        };
        match self.below(10) {
            0..7 => ["*", "?"][self.below(2) as usize].to_owned(),
            7 => format!("*/{}", 1 + self.below(7)),
            8 => format!("{},{}", part(self), part(self)),
            _ => part(self),
        }
    }
}

/// A source for one case. The generator needs a few draws until small seeds look random.
fn dice(seed: [u64; 2]) -> Dice {
    let mut dice = Dice::from_seed(seed.map(|part| (part + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    for _ in 0..16 {
        dice.bits();
    }
    dice
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// Asks for the neighbors of `probe` in both directions.
fn compare(cron: &Cron, zone: &Zone, walk: &Walk, expected: &[i64], probe: i64) {
    let after = expected.partition_point(|instant| *instant <= probe);
    let before = expected.partition_point(|instant| *instant < probe);
    let next = cron.next_after(at(probe), zone);
    let previous = cron.previous_before(at(probe), zone);
    let next_is_right = match expected.get(after) {
        Some(instant) => next == Some(at(*instant)),
        None => next.is_none_or(|next| next >= at(walk.window.end)),
    };
    let previous_is_right = match before.checked_sub(1) {
        Some(index) => previous == Some(at(expected[index])),
        None => previous.is_none_or(|previous| previous < at(walk.window.start)),
    };
    assert!(
        next_is_right && previous_is_right,
        "`{cron}` in {zone} at {}: previous {previous:?}, next {next:?}, but the oracle has {:?}",
        at(probe),
        expected[before.saturating_sub(2)..expected.len().min(after + 2)]
            .iter()
            .map(|s| at(*s))
            .collect::<Vec<_>>(),
    );
}

/// Compares at the change, at some moments between, and at every occurrence, or at those around the change
/// and some others if there are many.
fn compare_walk(case: &Case<'_>, walk: &Walk, middle: i64, dice: &mut Dice, tally: &mut Tally) {
    let expected = case.oracle.borrow_mut().occurrences(walk, tally);
    let length = u64::try_from(walk.window.end - walk.window.start).unwrap();
    let mut probes = vec![walk.window.start, middle - 1, middle, middle + 1];
    probes.extend((0..3).map(|_| walk.window.start + dice.below(length).cast_signed()));
    if expected.len() <= 12 {
        probes.extend(&expected);
    } else {
        let center = expected.partition_point(|instant| *instant < middle);
        probes.extend(&expected[center.saturating_sub(3)..expected.len().min(center + 3)]);
        probes.extend((0..4).map(|_| expected[dice.below(expected.len() as u64) as usize]));
    }
    for probe in &probes {
        compare(case.cron, case.zone, walk, &expected, *probe);
    }
    tally.compared += 2 * probes.len() as u64;
}

struct Case<'a> {
    cron: &'a Cron,
    zone: &'a Zone,
    oracle: std::cell::RefCell<Oracle>,
}

/// `count` expressions on the walks of one place.
fn compare_place(place: &Place, walks: &[(i64, Walk)], seed: u64, count: u64, with_seconds: bool) -> Tally {
    let zone = Zone::named(&place.name).unwrap();
    let mut tally = Tally::default();
    for number in 0..count {
        let mut dice = dice([seed, number << 1 | u64::from(with_seconds)]);
        let expression = Grammar(&mut dice).expression(with_seconds);
        let cron = Cron::parse(&expression).unwrap();
        let case = Case { cron: &cron, zone: &zone, oracle: Oracle::new(&expression).into() };
        for (change, walk) in walks {
            compare_walk(&case, walk, *change, &mut dice, &mut tally);
        }
        tally.cases += 1;
    }
    tally
}

/// Shares the places out to as many threads as there are processors.
fn compare_all(count: u64, reach: i64, unit: i64) -> Tally {
    let stride = (PLACES.len() as u64 * CASES_PER_PLACE).div_ceil(count).max(1) as usize;
    let places: Vec<_> = PLACES.iter().step_by(stride).collect();
    let (turn, threads) = (AtomicU64::new(0), std::thread::available_parallelism().unwrap().get());
    let per_place = count.div_ceil(places.len() as u64);
    let work = || {
        let mut tally = Tally::default();
        while let Ok(seed) = turn.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |turn| Some(turn + 1))
            && let Some(place) = places.get(seed as usize)
        {
            let around = |change: &i64| (*change, Walk::around(&place.rules, *change, reach, unit));
            let walks: Vec<_> = place.changes.iter().map(around).collect();
            tally.add(compare_place(place, &walks, seed, per_place, unit == 1));
        }
        tally
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut tally = Tally::default();
        workers.into_iter().for_each(|worker| tally.add(worker.join().unwrap()));
        tally
    })
}

/// The rows of the rule have been met often enough to tell.
fn assert_telling(tally: Tally, cases: u64) {
    assert!(tally.cases >= cases, "{tally:?}");
    let rows = [tally.moved, tally.repeated, tally.withheld];
    assert!(rows.into_iter().all(|row| row > tally.cases / 50), "{tally:?}");
}

#[test]
fn minutes_agree_around_every_change_of_every_zone() {
    let cases = cases() * 9 / 10;
    let tally = compare_all(cases, 25 * HOUR, MINUTE);
    println!("{tally:?}");
    assert_telling(tally, cases);
}

#[test]
fn seconds_agree_around_changes() {
    let cases = cases() / 10;
    let tally = compare_all(cases, 75 * MINUTE, 1);
    println!("{tally:?}");
    assert_telling(tally, cases);
}

#[test]
fn whole_years_agree_day_and_night() {
    let places = &*PLACES;
    let mut tally = Tally::default();
    for number in 0..cases() / 2_000 {
        let mut dice = dice([number, 0x0059_EA12]);
        let place = &places[dice.below(places.len() as u64) as usize];
        let start = place.changes[0] - 90 * DAY;
        let walk = Walk::new(&place.rules, start..start + 366 * DAY, MINUTE);
        tally.add(compare_place(place, &[(place.changes[0], walk)], number, 1, false));
    }
    println!("{tally:?}");
    assert!(tally.cases > 0);
}

#[test]
fn days_agree_in_every_month_of_every_kind_of_year() {
    let (mut dice, utc, mut matches) = (dice([365, 2]), Zone::utc(), 0);
    for number in 0..1_000 {
        let mut grammar = Grammar(&mut dice);
        let expression = format!("0 0 {} * {}", grammar.day(), grammar.weekday());
        let Ok(cron) = Cron::parse(&expression) else { continue };
        let (oracle, start) = (Oracle::new(&expression), year_start(2000 + number % 28));
        let midnights = (start..start + 400 * DAY).step_by(DAY as usize);
        let date = |at| Offset::UTC.to_datetime(jiff::Timestamp::from_second(at).unwrap()).date();
        let mut before = at(start - 1);
        for midnight in midnights.filter(|at| oracle.matches_date(date(*at))) {
            assert_eq!(cron.next_after(before, &utc), Some(at(midnight)), "`{expression}` after {before}");
            before = at(midnight);
            matches += 1;
        }
    }
    assert!(matches > 10_000, "{matches}");
}

#[test]
fn an_expression_is_refused_as_impossible_exactly_if_no_day_of_28_years_matches() {
    let mut dice = dice([28, 1]);
    let (mut refused, first) = (0, Date::constant(2000, 1, 1));
    for _ in 0..3_000 {
        let mut grammar = Grammar(&mut dice);
        let month = [2, 4, 6, 9, 11, 12][grammar.below(6) as usize];
        let restricted = iter::repeat_with(|| grammar.day()).find(|day| !["*", "?"].contains(&&**day));
        let expression = format!("0 0 {} {month} {}", restricted.unwrap(), grammar.weekday());
        let oracle = Oracle::new(&expression);
        // 28 years in a row without a skipped leap day have all 14 kinds of years.
        let mut days = first.series(jiff::Span::new().days(1)).take_while(|date| date.year() < 2028);
        let possible = days.any(|date| oracle.matches_date(date));
        let parsed = Cron::parse(&expression);
        assert_eq!(parsed.is_ok(), possible, "`{expression}`: {parsed:?}");
        refused += u64::from(!possible);
    }
    assert!(refused > 30, "{refused} of 3,000 are impossible: too few to tell");
}

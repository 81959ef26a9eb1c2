//! Cron expressions by hand: the language, what is refused, and the days on which clocks change.

use std::time::Duration;

use portfire_core::{Cron, Language, Timestamp, Zone};
use proptest::prelude::*;

fn cron(text: &str) -> Cron {
    Cron::parse(text).unwrap()
}

fn zone(name: &str) -> Zone {
    Zone::named(name).unwrap()
}

fn instant(text: &str) -> Timestamp {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

/// The first `count` occurrences after an instant, each checked to be found again going back.
fn after(text: &str, zone_name: &str, from: &str, count: usize) -> Vec<String> {
    let (cron, zone, mut at) = (cron(text), zone(zone_name), instant(from));
    let mut found = Vec::new();
    while found.len() < count {
        let next = cron.next_after(at, &zone).unwrap();
        let one_later = next.after(Duration::from_micros(1));
        assert_eq!(cron.previous_before(one_later, &zone), Some(next), "{text} back from {next}");
        found.push(next.to_string());
        at = next;
    }
    found
}

/// Days of the matches at midnight in UTC, as `MM-DD`, in the year 2026.
fn days(day_fields: &str, count: usize) -> Vec<String> {
    let found = after(&format!("0 0 {day_fields}"), "UTC", "2025-12-31T00:00:01Z", count);
    found.iter().map(|at| at[5..10].to_owned()).collect()
}

#[test]
fn minutes_and_hours_follow_their_fields() {
    let next = |text| after(text, "UTC", "2026-01-01T00:00:00Z", 3).join(" ").replace("2026-01-0", "");
    assert_eq!(next("*/20 * * * *"), "1T00:20:00Z 1T00:40:00Z 1T01:00:00Z");
    assert_eq!(next("3-50/20 4 * * *"), "1T04:03:00Z 1T04:23:00Z 1T04:43:00Z");
    assert_eq!(next("5/25 4 * * *"), "1T04:05:00Z 1T04:30:00Z 1T04:55:00Z");
    assert_eq!(next("0 22-1 * * *"), "1T01:00:00Z 1T22:00:00Z 1T23:00:00Z");
    assert_eq!(next("7 0,2 * * *"), "1T00:07:00Z 1T02:07:00Z 2T00:07:00Z");
    assert_eq!(next("30 5 0 * * *"), "1T00:05:30Z 2T00:05:30Z 3T00:05:30Z");
    assert_eq!(next("@every_second"), "1T00:00:01Z 1T00:00:02Z 1T00:00:03Z");
    assert_eq!(next("@HOURLY"), "1T01:00:00Z 1T02:00:00Z 1T03:00:00Z");
}

#[test]
fn days_follow_their_fields() {
    assert_eq!(days("1 * *", 3), ["01-01", "02-01", "03-01"]);
    assert_eq!(days("30-2 1-2 ?", 5), ["01-01", "01-02", "01-30", "01-31", "02-01"]);
    assert_eq!(days("L * *", 3), ["01-31", "02-28", "03-31"]);
    assert_eq!(days("L-3 FEB *", 1), ["02-25"]);
    assert_eq!(days("? * FRI-MON", 5), ["01-02", "01-03", "01-04", "01-05", "01-09"]);
    assert_eq!(days("* * 7", 2), days("* * 0", 2));
    assert_eq!(days("* * 5-7", 3), ["01-02", "01-03", "01-04"]);
    assert_eq!(days("* * MON#2", 3), ["01-12", "02-09", "03-09"]);
    assert_eq!(days("* * 5#5", 3), ["01-30", "05-29", "07-31"]);
    assert_eq!(days("* * FRIL,1L", 4), ["01-26", "01-30", "02-23", "02-27"]);
}

#[test]
fn workdays_are_near_and_never_leave_the_month() {
    assert_eq!(days("15W 2,8 *", 2), ["02-16", "08-14"], "a Sunday goes on, a Saturday back");
    assert_eq!(days("1W 2,8 *", 2), ["02-02", "08-03"], "the 1st of August is a Saturday");
    assert_eq!(days("31W 1,5 *", 2), ["01-30", "05-29"], "the 31st of May is a Sunday");
    assert_eq!(days("30W 8 *", 1), ["08-31"], "a Sunday that is not the last day goes on");
    assert_eq!(days("30W 5 *", 1), ["05-29"]);
    assert_eq!(days("LW 1-5 *", 5), ["01-30", "02-27", "03-31", "04-30", "05-29"]);
    assert_eq!(days("31W 4-5 *", 1), ["05-29"], "April has no 31st");
}

#[test]
fn restricted_day_fields_match_by_either_and_others_by_both() {
    assert_eq!(days("13 * FRI", 4), ["01-02", "01-09", "01-13", "01-16"]);
    assert_eq!(days("*/2 * MON", 3), ["01-05", "01-19", "02-09"]);
    assert_eq!(days("13 * */5", 3), ["02-13", "03-13", "09-13"], "0 and 5 are Sunday and Friday");
    assert_eq!(days("? * FRI", 2), ["01-02", "01-09"]);
}

#[test]
fn a_skipped_time_runs_at_the_first_instant_after_the_gap() {
    let next = |text, zone, from| after(text, zone, from, 2).join(" ");
    let new_york = |text| next(text, "America/New_York", "2026-03-08T05:30:00Z");
    assert_eq!(new_york("30 2 * * *"), "2026-03-08T07:00:00Z 2026-03-09T06:30:00Z");
    assert_eq!(new_york("10,20,30 2 * * *"), "2026-03-08T07:00:00Z 2026-03-09T06:10:00Z");
    assert_eq!(new_york("0 3 * * *"), "2026-03-08T07:00:00Z 2026-03-09T07:00:00Z");
    assert_eq!(new_york("30 2-3 * * *"), "2026-03-08T07:00:00Z 2026-03-08T07:30:00Z");
    // Half an hour on Lord Howe, two on Troll, midnight itself in Beirut, Havana and the Azores.
    assert!(
        next("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z").starts_with("2026-10-03T15:30:00Z")
    );
    assert!(
        next("30 2 * * *", "Antarctica/Troll", "2026-03-28T12:00:00Z").starts_with("2026-03-29T01:00:00Z")
    );
    assert!(next("0 0 * * *", "Asia/Beirut", "2026-03-28T12:00:00Z").starts_with("2026-03-28T22:00:00Z"));
    assert!(next("30 0 * * *", "America/Havana", "2026-03-07T12:00:00Z").starts_with("2026-03-08T05:00:00Z"));
    assert!(
        next("30 0 * * *", "Atlantic/Azores", "2026-03-28T12:00:00Z").starts_with("2026-03-29T01:00:00Z")
    );
    assert!(
        next("30 2 * * *", "Africa/Casablanca", "2026-03-21T12:00:00Z").starts_with("2026-03-22T02:00:00Z")
    );
}

#[test]
fn the_day_that_apia_left_out_runs_once_at_its_end() {
    let apia = |text| after(text, "Pacific/Apia", "2011-12-29T23:00:00Z", 3).join(" ");
    assert_eq!(apia("0 2 * * *"), "2011-12-30T10:00:00Z 2011-12-30T12:00:00Z 2011-12-31T12:00:00Z");
    assert_eq!(apia("0 */8 * * *"), "2011-12-30T02:00:00Z 2011-12-30T10:00:00Z 2011-12-30T18:00:00Z");
    assert!(apia("0 2 30 * *").starts_with("2011-12-30T10:00:00Z 2012-01-29T12:00:00Z"));
}

#[test]
fn a_repeated_time_runs_once_if_it_is_fixed_and_twice_if_it_is_an_interval() {
    let next = |text, zone, from| after(text, zone, from, 2).join(" ");
    let new_york = |text| next(text, "America/New_York", "2026-11-01T05:00:00Z");
    assert_eq!(new_york("30 1 * * *"), "2026-11-01T05:30:00Z 2026-11-02T06:30:00Z");
    assert_eq!(new_york("30 1,5 * * *"), "2026-11-01T05:30:00Z 2026-11-01T10:30:00Z");
    assert_eq!(new_york("30 * * * *"), "2026-11-01T05:30:00Z 2026-11-01T06:30:00Z");
    assert_eq!(new_york("30 1-1 * * *"), "2026-11-01T05:30:00Z 2026-11-01T06:30:00Z");
    // From between the two halves, and from inside the second.
    assert!(
        next("0 1 * * *", "America/New_York", "2026-11-01T06:00:00Z").starts_with("2026-11-02T06:00:00Z")
    );
    assert!(
        next("50 1 * * *", "America/New_York", "2026-11-01T06:20:00Z").starts_with("2026-11-02T06:50:00Z")
    );
    let lord_howe = |text| next(text, "Australia/Lord_Howe", "2026-04-04T14:00:00Z");
    assert_eq!(lord_howe("45 1 * * *"), "2026-04-04T14:45:00Z 2026-04-05T15:15:00Z");
    assert_eq!(lord_howe("45 * * * *"), "2026-04-04T14:45:00Z 2026-04-04T15:15:00Z");
}

#[test]
fn old_offsets_with_seconds_are_exact() {
    // Brussels was at +00:17:30.
    let brussels = after("0 12 * * *", "Europe/Brussels", "1880-01-01T00:00:00Z", 1);
    assert_eq!(brussels, ["1880-01-01T11:42:30Z"]);
    let kwajalein = after("0 12 20-22 8 *", "Pacific/Kwajalein", "1993-08-19T12:00:00Z", 2);
    assert_eq!(kwajalein, ["1993-08-21T00:00:00Z", "1993-08-21T12:00:00Z"], "21 August 1993 was left out");
}

#[test]
fn what_is_malformed_is_refused_by_field_with_the_remedy() {
    let cases = [
        ("", "0 fields; write 5"),
        ("* * * *", "4 fields"),
        ("* * * * * * *", "7 fields"),
        ("60 * * * *", "minute `60`: 60 is out of range; write 0 to 59"),
        ("* 24 * * *", "hour `24`: 24 is out of range; write 0 to 23"),
        ("* * 0 * *", "day of month `0`: 0 is out of range; write 1 to 31"),
        ("* * * 13 *", "month `13`"),
        ("* * * * 8", "day of week `8`: 8 is out of range; write 0 to 7"),
        ("*/0 * * * *", "0 is out of range; write 1 to 59 as a step"),
        ("*/90 * * * *", "90 is out of range; write 1 to 59 as a step"),
        ("*/ * * * *", "a value is missing"),
        ("1,,2 * * * *", "a value is missing"),
        ("1- * * * *", "a value is missing"),
        ("1-2-3 * * * *", "`2-3` is not a number"),
        ("1--100000000 * * * *", "`-100000000` is not a number"),
        ("00005 * * * *", "a number of 5 digits is too long"),
        ("? * * * *", "minute `?`: `?` is not a number"),
        ("* * * JUM *", "`JUM` is not a name (did you mean JUN?)"),
        ("* * * * MONDAY", "did you mean MON?"),
        ("* * * * L", "write `FRIL`"),
        ("* * * * MON#6", "6 is out of range; write 1 to 5 after `#`"),
        ("* * L-31 * *", "31 is out of range; write 1 to 30 after `L-`"),
        ("* * 0W * *", "0 is out of range; write 1 to 31 before `W`"),
        ("@dayly", "did you mean @daily?"),
        ("@reboot", "is not a macro"),
        ("0 2\u{3000}* * *", "the character '\\u{3000}'"),
        ("0\n2 * * *", "the character '\\n'"),
        ("0 0 31 2 *", "can never match"),
        ("0 0 30,31 2 *", "can never match"),
        ("0 0 31 4,6,9,11 *", "can never match"),
        ("0 0 L-30 2 ?", "can never match"),
        ("0 0 */28 * MON#4", "can never match"),
    ];
    for (text, says) in cases {
        let refused = Cron::parse(text).unwrap_err();
        assert!(refused.is_misuse() && refused.to_string().contains(says), "{text:?}: {refused}");
    }
    let long = format!("{} * * * *", vec!["1"; 200].join(","));
    assert!(Cron::parse(&long).unwrap_err().to_string().contains("407 bytes"));
    let many = format!("{} * * * *", vec!["1"; 65].join(","));
    assert!(Cron::parse(&many).unwrap_err().to_string().contains("65 parts"));
}

#[test]
fn zones_are_found_in_any_case_and_unknown_ones_suggest_a_near_name() {
    assert_eq!(zone("asia/TAIPEI").name(), "Asia/Taipei");
    assert_eq!((zone("utc"), Zone::utc().name()), (Zone::utc(), "UTC"));
    let cases = [
        ("Asia/Taipeh", "did you mean Asia/Taipei?"),
        ("Taipei", "did you mean Asia/Taipei?"),
        ("New York", "did you mean America/New_York?"),
        ("Etc/Unknown", "there is no time zone"),
        ("+08:00", "write an IANA name"),
        ("", "there is no time zone"),
    ];
    for (name, says) in cases {
        let refused = Zone::named(name).unwrap_err();
        assert!(refused.is_misuse() && refused.to_string().contains(says), "{name:?}: {refused}");
    }
    assert!(Zone::named(&"x".repeat(1 << 20)).unwrap_err().to_string().len() < 300);
}

#[test]
fn rare_days_are_found_within_the_bound() {
    assert_eq!(after("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", 1), ["2104-02-29T00:00:00Z"]);
    // The longest wait: a 29 February on a given weekday, across 2100.
    assert_eq!(after("0 0 */28 2 SUN#5", "UTC", "2088-03-01T00:00:00Z", 1), ["2128-02-29T00:00:00Z"]);
    let (rare, utc) = (cron("0 0 */28 2 SUN#5"), Zone::utc());
    assert_eq!(
        rare.previous_before(instant("2128-02-29T00:00:00Z"), &utc),
        Some(instant("2088-02-29T00:00:00Z"))
    );
}

#[test]
fn the_ends_of_time_have_no_occurrence() {
    let (every, utc) = (cron("* * * * * *"), Zone::utc());
    for far in [i64::MAX, i64::MAX / 2, 253_402_300_800_000_000] {
        assert_eq!(every.next_after(Timestamp::from_micros(far), &utc), None);
        assert_eq!(every.previous_before(Timestamp::from_micros(-far), &utc), None);
        assert!(every.previous_before(Timestamp::from_micros(far), &utc).is_some());
        assert!(every.next_after(Timestamp::from_micros(-far), &utc).is_some());
    }
}

#[test]
fn an_instant_between_seconds_is_neither_lost_nor_doubled() {
    let (every, utc) = (cron("* * * * * *"), Zone::utc());
    let (one, two) = (Timestamp::from_micros(1_000_000), Timestamp::from_micros(2_000_000));
    for micros in [1, 999_999] {
        let between = one.after(Duration::from_micros(micros));
        assert_eq!(every.next_after(between, &utc), Some(two));
        assert_eq!(every.previous_before(between, &utc), Some(one));
    }
    assert_eq!(every.next_after(one, &utc), Some(two));
    assert_eq!(every.previous_before(two, &utc), Some(one));
}

/// Fields that are mostly well formed, of every kind there is.
fn expression() -> impl Strategy<Value = String> {
    let time = "(\\*|\\*/[1-9]|[0-9]|1[0-9]|[0-9]-1[0-9](/[2-9])?|[0-9]/[2-9]|[0-9],2[0-3])";
    let day = "(\\*|\\?|[1-9]|L|L-[1-9]|LW|1[0-9]W|[1-9]-2[0-9]/[2-9]|[1-9],2[0-9])";
    let weekday = "(\\*|\\?|[0-7]|MON|fri#[1-5]|[0-7]L|SAT-TUE|\\*/[2-7])";
    let month = "(\\*|[1-9]|1[0-2]|FEB|OCT-mar|\\*/[2-5])";
    (proptest::option::of(time), time, time, day, month, weekday).prop_map(
        |(second, minute, hour, day, month, weekday)| {
            let fields = [second.unwrap_or_default(), minute, hour, day, month, weekday];
            fields.join(" ").trim_start().to_owned()
        },
    )
}

fn any_zone() -> impl Strategy<Value = Zone> {
    let names =
        ["UTC", "Asia/Taipei", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Cairo"];
    prop::sample::select(names.to_vec()).prop_map(zone)
}

proptest! {
    #[test]
    fn next_and_previous_are_neighbors(
        text in expression(),
        zone in any_zone(),
        micros in -2_000_000_000_000_000_i64..4_000_000_000_000_000,
    ) {
        let Ok(cron) = Cron::parse(&text) else { return Ok(()) };
        let now = Timestamp::from_micros(micros);
        let next = cron.next_after(now, &zone).unwrap();
        prop_assert!(next > now);
        let previous = cron.previous_before(next, &zone).unwrap();
        prop_assert!(previous <= now);
        prop_assert_eq!(cron.next_after(previous, &zone), Some(next));
        prop_assert_eq!(cron.previous_before(next.after(Duration::from_micros(1)), &zone), Some(next));
    }

    #[test]
    fn an_expression_is_shown_as_it_was_written_and_read_back(text in expression()) {
        let Ok(cron) = Cron::parse(&format!("\t {text} ")) else { return Ok(()) };
        prop_assert_eq!(cron.as_str(), &text);
        prop_assert_eq!(cron.to_string().parse::<Cron>().unwrap(), cron);
    }

    #[test]
    fn nothing_that_can_be_parsed_is_speechless(text in expression()) {
        let Ok(cron) = Cron::parse(&text) else { return Ok(()) };
        prop_assert!(cron.describe(Language::English).starts_with(|c: char| c.is_ascii_uppercase()));
        let chinese = cron.describe(Language::TraditionalChinese);
        prop_assert!(chinese.contains(['每', ':']) && !chinese.contains("  "), "{chinese}");
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), near in "[0-9*/,LW#?A-Za-z@ -]{0,40}") {
        for text in [text, near] {
            if let Err(refused) = Cron::parse(&text) {
                prop_assert!(refused.is_misuse() && refused.to_string().len() < 1_024);
            }
            let _ = Zone::named(&text);
        }
    }
}

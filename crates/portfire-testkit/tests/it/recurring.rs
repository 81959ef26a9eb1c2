//! Schedules on five servers, none of which leads: every slot has its turn, once, whatever happens.

use std::time::Duration;

use portfire_core::schedule::GRACE;
use portfire_core::{Misfire, Timestamp};
use portfire_testkit::sim::{self, Profile, Recurring, Report, Tick};

const MINUTE: Duration = Duration::from_secs(60);

fn play(seed: u64, profile: Profile, run: Recurring) -> Report {
    let report = sim::recur(seed, profile, run);
    assert!(report.broken.is_none(), "{report}");
    report
}

/// The slots that got a job.
fn fired(report: &Report) -> Vec<Timestamp> {
    report.slots.iter().filter(|tick| tick.fate == "fired").map(|tick| tick.at).collect()
}

/// The minutes of a run, from the first after the beginning.
fn minutes(count: u64) -> Vec<Timestamp> {
    (1..=count).map(|n| sim::begin().after(MINUTE * u32::try_from(n).unwrap())).collect()
}

/// A run without trouble but for one outage, under this policy; it ends two hours after the outage.
fn after_an_outage(misfire: Misfire, outage: Duration) -> (Report, u64, u64) {
    let (from, to) = (3_630, 3_630 + outage.as_secs());
    let outages = std::iter::once(from..to).collect();
    let run = Recurring { outages, ..Recurring::minutely(misfire, to / 60 + 120) };
    (play(7, Profile::Calm, run), from / 60, to / 60)
}

#[test]
fn each_minute_of_a_day_fires_once_on_five_servers() {
    let report = play(1, Profile::Breeze, Recurring::minutely(Misfire::All(1_000), 1_440));
    let fired = fired(&report);
    assert!(report.tally.lost_firings > 100, "the servers race: {:?}", report.tally);
    assert!(fired.len() >= 1_440);
    assert_eq!(fired, minutes(fired.len() as u64));
}

#[test]
fn each_minute_fires_once_though_the_clock_steps_by_ten_minutes() {
    for seed in 0..3 {
        let fired = fired(&play(seed, Profile::Clocks, Recurring::minutely(Misfire::All(1_000), 120)));
        assert!(fired.len() > 30, "{}", fired.len());
        assert_eq!(fired, minutes(fired.len() as u64));
    }
}

#[test]
fn an_outage_is_made_up_for_as_the_policy_says() {
    for outage in [Duration::from_secs(90 * 60), Duration::from_secs(3 * 24 * 3_600)] {
        let count = outage.as_secs() / 60;
        for (misfire, made_up) in
            [(Misfire::Once, 1), (Misfire::All(60), 60), (Misfire::All(1_000), count.min(1_000))]
        {
            let (report, from, _) = after_an_outage(misfire, outage);
            let missed = report.slots.iter().filter(|tick| tick.fate == "missed").count();
            assert_eq!(missed, usize::from(made_up < count), "{misfire:?}, {outage:?}");
            let expected = minutes(report_minutes(&report)).len() as u64 - count + made_up;
            assert_eq!(fired(&report).len() as u64, expected, "{misfire:?}, {outage:?}");
            assert!(fired(&report).contains(&minutes(from)[from as usize - 1]));
        }
    }
}

#[test]
fn a_skipped_outage_runs_nothing_but_what_is_still_in_its_grace() {
    for outage in [Duration::from_secs(90 * 60), Duration::from_secs(3 * 24 * 3_600)] {
        let (report, _, to) = after_an_outage(Misfire::Skip, outage);
        // The servers are back at half past a minute, and find its slot within the grace.
        assert!(GRACE > Duration::from_secs(30));
        let first =
            fired(&report).into_iter().find(|at| *at > sim::begin().after(Duration::from_secs(3_630)));
        assert_eq!(first, minutes(to).last().copied());
        let count = outage.as_secs() / 60;
        assert_eq!(fired(&report).len() as u64, report_minutes(&report) - count + 1);
    }
}

/// How many minutes passed until the last slot.
fn report_minutes(report: &Report) -> u64 {
    let last: &Tick = report.slots.last().unwrap();
    last.at.since(sim::begin()).as_secs() / 60
}

#[test]
fn a_thousand_edits_race_with_ticks() {
    let run = Recurring {
        schedules: Vec::new(),
        lasts: Duration::from_secs(400),
        outages: Vec::new(),
        edited: true,
    };
    let report = play(5, Profile::Storm, run);
    let tally = report.tally;
    assert!(tally.edits >= 1_000 && tally.ticks > 50 && tally.lost_firings > 20, "{tally:?}");
}

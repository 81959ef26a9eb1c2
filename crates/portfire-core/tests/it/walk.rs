//! What is walked for a page, and when the walk ends.

use std::ops::ControlFlow;

use portfire_core::limits::WALK_MAX;
use portfire_core::storage::{Cursor, Filter, JobSummary, Page, PageRequest, Walk, Walker};
use portfire_core::{Fault, JobId, State, Timestamp};

fn job(number: u32) -> JobSummary {
    JobSummary {
        id: JobId::from_bytes(u128::from(number).to_be_bytes()),
        state: State::Enqueued,
        kind: "work".into(),
        queue: "default".into(),
        priority: 0,
        attempts: 0,
        created_at: Timestamp::default(),
        run_at: Timestamp::default(),
        started_at: None,
        finished_at: None,
        server: None,
        tags: Vec::new(),
        fault: None,
    }
}

/// The page of a list of `rows` rows, of which these match.
fn page(limit: u32, rows: u32, matches: impl Fn(u32) -> bool) -> Page {
    let mut walker = Walker::new(&PageRequest { limit, after: None, before: None });
    for row in 1..=rows {
        let place = || Ok(Cursor::of(&job(row)));
        if walker.take(matches(row).then(|| job(row)), place).unwrap() == ControlFlow::Break(()) {
            break;
        }
    }
    walker.finish()
}

fn told(page: &Page) -> (usize, Option<Cursor>, u32, bool) {
    (page.jobs.len(), page.next.clone(), page.walked, page.exhausted)
}

#[test]
fn a_walk_ends_with_the_page_or_with_the_list() {
    let at = |row| Some(Cursor::of(&job(row)));
    assert_eq!(told(&page(2, 0, |_| true)), (0, None, 0, false));
    assert_eq!(told(&page(2, 2, |_| true)), (2, None, 2, false), "a page that is just full is the last");
    assert_eq!(told(&page(2, 3, |_| true)), (2, at(2), 2, false));
    assert_eq!(told(&page(2, 9, |row| row % 3 == 0)), (2, at(6), 6, false), "one more was found");
    assert_eq!(told(&page(2, 8, |row| row % 3 == 0)), (2, None, 8, false), "no more was found");
}

#[test]
fn a_walk_ends_after_so_many_rows_and_says_where() {
    let at = |row| Some(Cursor::of(&job(row)));
    let rare = |row| row == 5;
    assert_eq!(told(&page(2, WALK_MAX, rare)), (1, None, WALK_MAX, false), "the list just ends there");
    assert_eq!(told(&page(2, WALK_MAX + 1, rare)), (1, at(WALK_MAX), WALK_MAX, true));
    assert_eq!(told(&page(1, WALK_MAX + 9, rare)), (1, at(WALK_MAX), WALK_MAX, true), "a full page as well");
    let two = |row| row == 5 || row == WALK_MAX;
    assert_eq!(told(&page(1, WALK_MAX + 9, two)), (1, at(5), 5, false), "the last row is still looked at");
    let beyond = |row| row == 5 || row == WALK_MAX + 1;
    assert_eq!(told(&page(1, WALK_MAX + 9, beyond)), (1, at(WALK_MAX), WALK_MAX, true));
}

#[test]
fn each_filter_has_its_walk() {
    let fault = Some(Fault::new("it broke").fingerprint("work"));
    let tag = Some("red".into());
    let none = Filter::default;
    assert_eq!(Walk::of(&none()), Some(Walk::All));
    assert_eq!(Walk::of(&Filter { tag: tag.clone(), ..none() }), Some(Walk::Tag));
    assert_eq!(Walk::of(&Filter { fault, tag: tag.clone(), ..none() }), Some(Walk::Fault));
    for state in State::ALL {
        let walk = Walk::of(&Filter { fault, ..Filter::of(state) });
        assert_eq!(walk, (state == State::Failed).then_some(Walk::Fault), "only failed jobs are in a group");
        let walk = Walk::of(&Filter { tag: tag.clone(), ..Filter::of(state) }).unwrap();
        assert!(walk.looks_up(&Filter { tag: tag.clone(), ..none() }), "the tags are in no order of a state");
        assert_eq!(matches!(walk, Walk::Ended(of) if of == state), state.is_final());
    }
}

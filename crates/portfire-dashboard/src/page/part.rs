//! Small things that pages are made of.

use std::time::Duration;

use maud::{Markup, html};
use portfire_core::limits::GROUP_COUNT_MAX;
use portfire_core::{JobId, State, Timestamp};

use crate::ctx::Visit;
use crate::json::{Token, laid_out};
use crate::messages::Text;
use crate::time;

/// More than this is told as "more than": counts are capped in the storage.
const COUNT_SHOWN_MAX: u64 = 10_000;

/// A state: a shape, a word and a color.
pub(crate) fn state(text: Text, state: State) -> Markup {
    html! { span .state .(state.as_str()) { (shape(state)) span { (text.state(state)) } } }
}

/// The shape alone, where the word stands beside it anyway.
pub(crate) fn shape(state: State) -> Markup {
    let path = match state {
        State::Awaiting => "M8 2l6 6-6 6-6-6z",
        State::Scheduled => "M8 2a6 6 0 100 12A6 6 0 008 2zm0 2.5V8l2.5 1.5",
        State::Enqueued => "M3 4h10M3 8h10M3 12h6",
        State::Processing => "M4 2.5v11L13 8z",
        State::Retrying => "M13 5.5A5.5 5.5 0 108 13.5c2 0 3.700-1 4.700-2.500M13.500 2v3.800H9.700",
        State::Succeeded => "M2.500 8.500l3.500 3.500 7.500-8",
        State::Failed => "M3.500 3.500l9 9M12.500 3.500l-9 9",
        State::Cancelled => "M8 2a6 6 0 100 12A6 6 0 008 2zM4 4l8 8",
    };
    html! { svg .shape viewBox="0 0 16 16" aria-hidden="true" { path d=(path) {} } }
}

/// The product's mark.
pub(crate) fn brand() -> Markup {
    html! { svg .mark viewBox="0 0 32 32" aria-hidden="true" {
        rect width="32" height="32" rx="8" {} path d="M9 24 20 6l-2 8h6L12 28l2-8z" {}
    } }
}

/// A disc half filled: the theme.
pub(crate) fn half_disc() -> Markup {
    html! { svg .shape viewBox="0 0 16 16" aria-hidden="true" {
        path d="M8 2a6 6 0 100 12A6 6 0 008 2z" {} path .full d="M8 2a6 6 0 010 12z" {}
    } }
}

/// An instant: how far it is from now, and exactly on hover. The script turns the exact one into the reader's
/// own zone.
pub(crate) fn when(text: Text, now: Timestamp, at: Timestamp) -> Markup {
    html! { time datetime=(at) title={ (time::utc(at)) " UTC" } { (text.distance(now, at)) } }
}

/// An instant in full.
pub(crate) fn exactly(at: Timestamp) -> Markup {
    html! { time .exact datetime=(at) { (time::utc(at)) " UTC" } }
}

/// A length of time.
pub(crate) fn length(text: Text, length: Duration) -> Markup {
    html! { span .length { (text.length(length)) } }
}

/// How many, capped.
pub(crate) fn count(count: u64) -> Markup {
    html! {
        @if count > COUNT_SHOWN_MAX { (time::grouped(COUNT_SHOWN_MAX)) "+" } @else { (time::grouped(count)) }
    }
}

/// How many jobs of a group of failures, capped.
pub(crate) fn alike(count: u64) -> Markup {
    let shown = count.min(GROUP_COUNT_MAX - 1);
    html! { (time::grouped(shown)) @if count > shown { "+" } }
}

/// A link to a job, by the end of its id: the beginning is the time, which neighbors share.
pub(crate) fn job_link(visit: &Visit, job: JobId) -> Markup {
    let id = job.to_string();
    html! { a .id href=(visit.urls.job(job)) title=(id) { "…" (&id[id.len() - 8..]) } }
}

/// A link to the jobs of a queue.
pub(crate) fn queue_link(visit: &Visit, queue: &str) -> Markup {
    html! { a .queue href=(visit.urls.jobs(&crate::filter::term("queue", queue))) { (queue) } }
}

/// A link to the jobs with a tag.
pub(crate) fn tag_link(visit: &Visit, tag: &str) -> Markup {
    html! { a .tag href=(visit.urls.jobs(&crate::filter::term("tag", tag))) { (tag) } }
}

/// JSON, laid out, in colors.
pub(crate) fn json(tokens: &[Token<'_>], indent: usize) -> Markup {
    html! {
        @for (space, token) in laid_out(tokens, indent) {
            (space)
            @match token {
                Token::Mark(mark) => (mark),
                Token::Key(key) => { span .k { (key) } }
                Token::Text(text) => { span .s { (text) } }
                Token::Word(word) => { span .n { (word) } }
            }
        }
    }
}

/// What is shown where there is nothing.
pub(crate) fn empty(title: &str, hint: Markup) -> Markup {
    html! { div .empty { p .title { (title) } (hint) } }
}

/// A form of one button. Hidden fields carry what it is about.
pub(crate) fn button(visit: &Visit, path: &str, word: &str, tone: &str, fields: &[(&str, &str)]) -> Markup {
    html! {
        form method="post" action=(visit.urls.at(path)) {
            input type="hidden" name="back" value=(visit.here());
            @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
            button .(tone) { (word) }
        }
    }
}

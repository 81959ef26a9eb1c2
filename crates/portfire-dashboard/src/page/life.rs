//! The life of a job: a track of waiting and running, and the same as a list, latest first.
//!
//! 1. What is known of the job becomes events, in the order of time ([`events`]).
//! 2. The stretches between them become the track: an SVG drawn here, complete without a script.

use maud::{Markup, html};
use portfire_core::storage::{AuditEntry, JobDetails};
use portfire_core::{State, Timestamp};

use super::part;
use crate::ctx::Ctx;
use crate::messages::Text;

/// The width of the track, in its own units.
const WIDTH: u64 = 1_000;

/// Something that happened to a job, or is expected to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Event {
    at: Timestamp,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Created,
    Began(u16),
    Ended {
        attempt: u16,
        outcome: Box<str>,
    },
    Finished(State),
    Expected,
    /// What a person did.
    Deed {
        word: String,
        who: String,
        why: Option<String>,
    },
}

/// What is known, in the order of time.
fn events(text: Text, job: &JobDetails, deeds: &[AuditEntry]) -> Vec<Event> {
    let one = &job.summary;
    let mut events = vec![Event { at: one.created_at, what: What::Created }];
    for attempt in &job.history {
        events.push(Event { at: attempt.started_at, what: What::Began(attempt.attempt) });
        let what = What::Ended { attempt: attempt.attempt, outcome: attempt.outcome.clone() };
        events.push(Event { at: attempt.ended_at, what });
    }
    let in_history = |at| job.history.iter().any(|attempt| attempt.started_at == at);
    if let Some(at) = one.started_at.filter(|at| !in_history(*at)) {
        events.push(Event { at, what: What::Began(one.attempts) });
    }
    // The end of the attempt by which it failed is its end: told once.
    if let Some(at) = one.finished_at.filter(|at| job.history.last().is_none_or(|last| last.ended_at != *at))
    {
        events.push(Event { at, what: What::Finished(one.state) });
    }
    if matches!(one.state, State::Scheduled | State::Retrying) {
        events.push(Event { at: one.run_at, what: What::Expected });
    }
    let deed = |entry: &AuditEntry| What::Deed {
        word: text.deed(&entry.action).to_owned(),
        who: entry.by.name().to_owned(),
        why: entry.by.reason().map(str::to_owned),
    };
    events.extend(deeds.iter().rev().map(|entry| Event { at: entry.at, what: deed(entry) }));
    events.sort_by_key(|event| event.at);
    events
}

/// The track and the list.
pub(crate) fn show(ctx: &Ctx, job: &JobDetails, deeds: &[AuditEntry], now: Timestamp) -> Markup {
    let text = ctx.text;
    let events = events(text, job, deeds);
    let befores = std::iter::once(None).chain(events.iter().map(Some));
    let told: Vec<_> = events.iter().zip(befores).collect();
    html! {
        (track(text, job, now))
        ol .life {
            @for (event, before) in told.into_iter().rev() {
                li .(tone(&event.what, event.at, job)) .ahead[event.at > now] {
                    span { (words(text, &event.what)) }
                    " " (part::when(text, now, event.at))
                    @if let Some(before) = before { small { "+" (text.length(event.at.since(before.at))) } }
                }
            }
        }
    }
}

fn tone(what: &What, at: Timestamp, job: &JobDetails) -> &'static str {
    match what {
        What::Created | What::Expected => "scheduled",
        What::Deed { .. } => "person",
        What::Began(_) => "processing",
        What::Ended { .. } if job.summary.finished_at == Some(at) => job.summary.state.as_str(),
        What::Ended { .. } => "retrying",
        What::Finished(state) => state.as_str(),
    }
}

fn words(text: Text, what: &What) -> String {
    match what {
        What::Created => text.was_created().to_owned(),
        What::Began(attempt) => text.attempt_began(*attempt),
        What::Ended { attempt, outcome } => text.attempt_ended(*attempt, text.outcome(outcome)),
        What::Finished(state) => text.state(*state).to_owned(),
        What::Expected => text.will_run().to_owned(),
        What::Deed { word, who, why: Some(why) } => text.deed_because(word, who, why),
        What::Deed { word, who, why: None } => text.deed_by(word, who),
    }
}

/// Waiting and running, to scale.
fn track(text: Text, job: &JobDetails, now: Timestamp) -> Markup {
    let one = &job.summary;
    let end = one.finished_at.unwrap_or(now).max(one.created_at);
    let whole = end.since(one.created_at).as_micros().max(1);
    let x = |at: Timestamp| {
        let since = at.min(end).since(one.created_at).as_micros();
        u64::try_from(since * u128::from(WIDTH) / whole).unwrap_or(WIDTH)
    };
    let attempt_tone = |ended: Timestamp| {
        if one.finished_at == Some(ended) { one.state.as_str() } else { State::Retrying.as_str() }
    };
    let failed = job
        .history
        .iter()
        .map(|attempt| (attempt.started_at, attempt.ended_at, attempt_tone(attempt.ended_at)));
    let in_history = |at| job.history.iter().any(|attempt| attempt.started_at == at);
    let last = one.started_at.filter(|at| !in_history(*at)).map(|at| (at, end, one.state.as_str()));
    html! {
        svg .track viewBox={ "0 0 " (WIDTH) " 24" } preserveAspectRatio="none" role="img" aria-label=(text.track()) {
            rect .wait x="0" y="8" width=(WIDTH) height="8" {}
            @for (from, to, tone) in failed.chain(last) {
                rect .run .(tone) x=(x(from)) y="2" width=(x(to).saturating_sub(x(from)).max(4)) height="20" {}
            }
        }
    }
}

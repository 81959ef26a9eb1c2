//! A list of jobs: by state, by the filter box, page by page.

use axum::response::Response;
use maud::{Markup, html};
use portfire_core::storage::{Cursor, Filter, JobSummary, Page as List, PageRequest, PausedQueue};
use portfire_core::{State, Timestamp};

use super::frame::{Page, Section, may_steer_jobs};
use super::{alike, part, see_other};
use crate::actions::Steer;
use crate::ctx::Ctx;
use crate::filter::{Misread, Query, Wrong, parse};
use crate::gate::Permission;
use crate::messages::Text;
use crate::pairs::Pairs;
use crate::refusal::Result;
use crate::sampler::Glance;
use crate::time;

/// Jobs on a page, unless asked otherwise.
const PAGE: u32 = 50;

pub(crate) async fn show(ctx: Ctx) -> Result<Response> {
    let typed = ctx.query.get("q").unwrap_or_default().to_owned();
    let query = match parse(&typed) {
        Ok(Query { id: Some(id), .. }) => return Ok(see_other(&ctx.urls.job(id))),
        other => other,
    };
    let glance = ctx.glance().await?;
    let now = ctx.now(&glance);
    let list = match &query {
        Ok(query) => {
            let filter = query.at(now);
            let page = page_at(&ctx.query, &filter);
            let goes_back = page.goes_back();
            let list = ctx.read().list(filter, page).await?;
            if goes_back && list.jobs.is_empty() && !list.exhausted {
                // Nothing is before it: the first page is what was wanted.
                return Ok(see_other(&ctx.urls.with("/jobs", &anywhere(&ctx.query))));
            }
            list
        }
        Err(_) => List::default(),
    };
    let state = query.as_ref().ok().and_then(|query| query.filter.state);
    let text = ctx.text;
    let content = html! {
        h1 { (state.map_or(text.jobs(), |state| text.state(state))) }
        (tabs(&ctx, &glance, query.as_ref().ok()))
        (filter_box(&ctx, &typed, query.as_ref().err()))
        @if let Some(fault) = query.as_ref().ok().and_then(|query| query.filter.fault) { (alike::links(&ctx, fault)) }
        @if list.jobs.is_empty() {
            (nothing(&ctx, &typed, query.is_err()))
        } @else { (table(&ctx, &list, state, &glance, now)) }
        (pager(&ctx, &list))
        @if query.as_ref().is_ok_and(|query| Cursor::at(&query.filter, now).is_some()) { (jump(&ctx, &typed)) }
    };
    let section = match state {
        Some(State::Failed) => Section::Failed,
        Some(State::Retrying) => Section::Retries,
        _ => Section::Jobs,
    };
    let title = state.map_or(text.jobs(), |state| text.state(state));
    Ok(Page::new(title, content).section(section).live().respond(&ctx))
}

/// The page that an address asks for. A cursor that cannot be read is the first page.
pub(crate) fn page_request(query: &Pairs) -> PageRequest {
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(PAGE);
    let place = |name| query.get(name).and_then(|cursor| cursor.parse::<Cursor>().ok());
    PageRequest { limit, after: place("after"), before: place("before") }
}

/// A query without the place in the list.
fn anywhere(query: &Pairs) -> Pairs {
    query.without(&["after", "before", "at", "done", "lang"])
}

/// Whether an address leads to a place in the list.
fn is_somewhere(query: &Pairs) -> bool {
    ["after", "before", "at"].iter().any(|name| query.get(name).is_some())
}

/// The same; or from the time on that a person jumped to.
fn page_at(query: &Pairs, filter: &Filter) -> PageRequest {
    let page = page_request(query);
    let at = query.get("at").filter(|_| page.place().is_none()).and_then(time::typed);
    PageRequest { after: page.after.or_else(|| Cursor::at(filter, at?)), ..page }
}

/// Goes to a time in the list. Without a script it is typed in UTC.
fn jump(ctx: &Ctx, typed: &str) -> Markup {
    let text = ctx.text;
    html! {
        form .jump action=(ctx.urls.at("/jobs")) {
            @if !typed.is_empty() { input type="hidden" name="q" value=(typed); }
            label for="at" { (text.jump()) " " span data-utc { "(UTC)" } }
            " "
            input #at type="datetime-local" name="at" step="1" required;
            " "
            button { (text.find()) }
        }
    }
}

fn tabs(ctx: &Ctx, glance: &Glance, query: Option<&Query>) -> Markup {
    let known = query.cloned().unwrap_or_default();
    let states = std::iter::once(None).chain(State::ALL.map(Some));
    html! {
        nav .tabs aria-label=(ctx.text.standing()) { ul {
            @for state in states {
                @let here = query.is_some() && known.filter.state == state;
                li { a href=(ctx.urls.jobs(&known.in_state(state).to_string())) aria-current=[here.then_some("page")] {
                    @if let Some(state) = state {
                        (part::state(ctx.text, state))
                        @let count = glance.count(state, &ctx.grant.scope);
                        @if count > 0 { span .count { (part::count(count)) } }
                    } @else { (ctx.text.all()) }
                } }
            }
        } }
    }
}

fn filter_box(ctx: &Ctx, typed: &str, misread: Option<&Misread>) -> Markup {
    let text = ctx.text;
    html! {
        form .filter action=(ctx.urls.at("/jobs")) {
            label .hidden for="q" { (text.filter()) }
            input #q type="search" name="q" value=(typed) placeholder=(text.filter_example()) autocomplete="off" spellcheck="false"
                aria-invalid=[misread.map(|_| "true")] aria-describedby=[misread.map(|_| "wrong")];
            button { (text.find()) }
            @if let Some(Misread { wrong, at }) = misread {
                p #wrong .wrong role="alert" {
                    (explain(text, wrong)) br;
                    code { (typed[..at.start]) mark { (typed[at.clone()]) } (typed[at.end..]) }
                }
            }
        }
    }
}

/// What is wrong with a filter.
pub(crate) fn explain(text: Text, wrong: &Wrong) -> String {
    match wrong {
        Wrong::TooLong => text.filter_too_long().to_owned(),
        Wrong::Unclosed => text.filter_unclosed().to_owned(),
        Wrong::Key(key) => text.filter_key(key),
        Wrong::State(word) => text.filter_state(word),
        Wrong::Fault(word) => text.filter_fault(word),
        Wrong::Time(word) => text.filter_time(word),
        Wrong::Id(word) => text.filter_id(word),
        Wrong::Empty(key) => text.filter_empty(key),
        Wrong::Twice(key) => text.filter_twice(key),
        Wrong::Without(key) => text.filter_without(key),
    }
}

fn table(ctx: &Ctx, list: &List, state: Option<State>, glance: &Glance, now: Timestamp) -> Markup {
    let text = ctx.text;
    let selects = may_steer_jobs(ctx) && ctx.can(Permission::Bulk);
    html! {
        form .list method="post" {
            input type="hidden" name="back" value=(ctx.here());
            @if selects { (bulk_bar(ctx, state)) }
            table .cards .jobs {
                caption .hidden { (text.jobs()) }
                thead { tr {
                    @if selects {
                        th scope="col" .select {
                            input type="checkbox" data-all aria-label=(text.select_all());
                        }
                    }
                    @if state.is_none() { th scope="col" { (text.standing()) } }
                    th scope="col" { (text.kind()) }
                    th scope="col" { (text.queue()) }
                    th scope="col" .number { (text.attempts()) }
                    th scope="col" { (text.created()) }
                    th scope="col" { (moment_title(text, state)) }
                } }
                tbody { @for job in &list.jobs {
                    (row(ctx, job, state, selects, glance.holds(job), now))
                } }
            }
        }
    }
}

fn row(
    ctx: &Ctx,
    job: &JobSummary,
    state: Option<State>,
    selects: bool,
    paused: Option<&PausedQueue>,
    now: Timestamp,
) -> Markup {
    let text = ctx.text;
    html! {
        tr #{ "j-" (job.id) } {
            @if selects {
                td .select {
                    input type="checkbox" name="job" value=(job.id) aria-label={ (text.select()) " " (job.kind) };
                }
            }
            @if state.is_none() { td data-label=(text.standing()) { (part::state(text, job.state)) } }
            td .main data-label=(text.kind()) { a .kind href=(ctx.urls.job(job.id)) { (job.kind) } " " (part::job_link(ctx, job.id))
                @for tag in &job.tags { " " (part::tag_link(ctx, tag)) }
                @if paused.is_some() { " " span .mark .warm { (text.held()) } }
                @if let Some(fault) = job.fault.as_deref().filter(|_| job.state != State::Succeeded) {
                    p .fault-line { (fault) }
                }
            }
            td data-label=(text.queue()) { (part::queue_link(ctx, &job.queue)) }
            td .number data-label=(text.attempts()) { (job.attempts) }
            td data-label=(text.created()) { (part::when(text, now, job.created_at)) }
            td data-label=(moment_title(text, state)) { (moment(ctx, job, now)) }
        }
    }
}

const fn moment_title(text: Text, state: Option<State>) -> &'static str {
    match state {
        None => text.last_change(),
        Some(State::Awaiting) => text.due(),
        Some(State::Scheduled) => text.due(),
        Some(State::Enqueued) => text.waits_since(),
        Some(State::Processing) => text.runs_since(),
        Some(State::Retrying) => text.retried_at(),
        Some(State::Succeeded | State::Failed | State::Cancelled) => text.ended(),
    }
}

/// The time that matters in a job's state.
fn moment(ctx: &Ctx, job: &JobSummary, now: Timestamp) -> Markup {
    let text = ctx.text;
    html! {
        @match (job.finished_at, job.started_at) {
            (Some(ended), started) => {
                (part::when(text, now, ended))
                @if let Some(started) = started {
                    " " small { (text.took(&text.length(ended.since(started)))) }
                }
            }
            (None, Some(started)) => (part::when(text, now, started)),
            (None, None) => (part::when(text, now, job.run_at)),
        }
    }
}

/// The buttons for selected jobs: only what some job in this state could bear.
fn bulk_bar(ctx: &Ctx, state: Option<State>) -> Markup {
    let text = ctx.text;
    let fits = |steer: Steer| ctx.can(steer.permission()) && state.is_none_or(|state| steer.fits(state));
    html! {
        div .bulk role="group" aria-label=(text.with_selected()) {
            span .selected data-selected { (text.with_selected()) }
            @for steer in Steer::ALL.into_iter().filter(|steer| fits(*steer) && !needs_more(*steer)) {
                button .danger[steer == Steer::Delete] formaction=(ctx.urls.at(steer.path())) {
                    (steer_word(text, steer))
                }
            }
            @let more: Vec<_> = Steer::ALL.into_iter().filter(|steer| fits(*steer) && needs_more(*steer)).collect();
            @if !more.is_empty() {
                details .more {
                    summary .button { (text.more()) }
                    div {
                        @for steer in more {
                            p {
                                (more_input(ctx, steer))
                                button formaction=(ctx.urls.at(steer.path())) { (steer_word(text, steer)) }
                            }
                        }
                        (reason_input(text))
                    }
                }
            }
        }
    }
}

/// Whether an action has to be told more than which jobs.
pub(crate) const fn needs_more(steer: Steer) -> bool {
    matches!(steer, Steer::Reschedule | Steer::Move | Steer::Prioritize)
}

/// What an action has to be told.
pub(crate) fn more_input(ctx: &Ctx, steer: Steer) -> Markup {
    let text = ctx.text;
    html! {
        @match steer {
            Steer::Reschedule => (delay_choice(text)),
            Steer::Move => {
                input name="queue" list="queues" placeholder=(text.queue()) aria-label=(text.queue()) maxlength="128";
                (queue_names(ctx))
            }
            Steer::Prioritize => {
                input name="priority" type="number" min="-32768" max="32767" placeholder=(text.priority()) aria-label=(text.priority());
            }
            Steer::Run | Steer::Cancel | Steer::Delete => {}
        }
    }
}

/// Why, for the audit log.
pub(crate) fn reason_input(text: Text) -> Markup {
    html! {
        p {
            input .reason name="reason" maxlength="300" placeholder=(text.reason_hint()) aria-label=(text.reason());
        }
    }
}

fn queue_names(ctx: &Ctx) -> Markup {
    let glance = ctx.shared.sampler.last_known();
    html! { datalist #queues {
        @if let Some(glance) = &glance {
            @for queue in glance.queues(&ctx.grant.scope) { option value=(queue) {} }
        }
    } }
}

/// How long to put jobs off.
pub(crate) fn delay_choice(text: Text) -> Markup {
    html! {
        select name="delay" aria-label=(text.put_off_by()) {
            @for seconds in [60, 600, 3_600, 86_400, 604_800] {
                option value=(seconds) { (text.ahead(std::time::Duration::from_secs(seconds))) }
            }
        }
    }
}

/// What a button says.
pub(crate) const fn steer_word(text: Text, steer: Steer) -> &'static str {
    match steer {
        Steer::Run => text.run_now(),
        Steer::Cancel => text.cancel(),
        Steer::Reschedule => text.put_off(),
        Steer::Move => text.move_to(),
        Steer::Prioritize => text.prioritize(),
        Steer::Delete => text.delete(),
    }
}

fn nothing(ctx: &Ctx, typed: &str, is_wrong: bool) -> Markup {
    let text = ctx.text;
    let hint = html! {
        @if !typed.is_empty() || is_somewhere(&ctx.query) {
            p { a href=(ctx.urls.at("/jobs")) { (text.clear_filter()) } }
        }
    };
    match typed {
        _ if is_wrong => hint,
        "state:failed" => part::empty(text.no_failures(), html! { p { (text.no_failures_hint()) } }),
        "" if !is_somewhere(&ctx.query) => {
            part::empty(text.no_jobs(), html! { p { (text.first_enqueue()) } })
        }
        _ => part::empty(text.nothing_matches(), hint),
    }
}

fn pager(ctx: &Ctx, list: &List) -> Markup {
    let text = ctx.text;
    let first = anywhere(&ctx.query);
    let goes_back = page_request(&ctx.query).goes_back();
    let there =
        |name: &str, place: Cursor| ctx.urls.with("/jobs", &first.clone().with(name, &place.to_string()));
    let onward = list.next.clone().map(|next| there(if goes_back { "before" } else { "after" }, next));
    let searched = onward.as_ref().filter(|_| list.exhausted);
    let previous = if goes_back {
        onward.clone()
    } else {
        list.jobs.first().map(|job| there("before", Cursor::of(job)))
    };
    let next =
        if goes_back { list.jobs.last().map(|job| there("after", Cursor::of(job))) } else { onward.clone() };
    html! {
        nav .pager aria-label=(text.paging()) {
            @if is_somewhere(&ctx.query) {
                a .button href=(ctx.urls.with("/jobs", &first)) { (text.first_page()) }
                @if let Some(previous) = previous.filter(|_| searched.is_none() || !goes_back) {
                    a .button rel="prev" href=(previous) { (text.previous_page()) }
                }
            }
            @if let Some(onward) = searched {
                p {
                    (text.searched(list.walked.into()))
                    " "
                    a .button rel=(if goes_back { "prev" } else { "next" }) href=(onward) {
                        (text.keep_searching())
                    }
                }
            }
            @if let Some(next) = next.filter(|_| searched.is_none() || goes_back) {
                a .button rel="next" href=(next) {
                    (text.next_page())
                }
            }
        }
    }
}

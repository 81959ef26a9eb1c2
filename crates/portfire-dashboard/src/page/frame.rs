//! What every page has around its content: navigation, search, language, theme, footer.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use maud::{DOCTYPE, Markup, html};
use portfire_core::{Language, State};

use super::servers::visible;
use super::{keys, notice, part};
use crate::assets::{ICON, SCRIPT, STYLE, WORKER};
use crate::ctx::{Ctx, Theme, Visit};
use crate::gate::{Grant, Permission, Scope};
use crate::language;
use crate::sampler::Glance;
use crate::time;

/// A place in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Overview,
    Jobs,
    Retries,
    Failed,
    Recurring,
    Queues,
    Servers,
    Audit,
    About,
}

/// A page without its frame.
#[derive(Debug)]
pub(crate) struct Page {
    title: String,
    section: Option<Section>,
    content: Markup,
    status: StatusCode,
    is_live: bool,
}

impl Page {
    /// A page with this title.
    pub(crate) fn new(title: impl Into<String>, content: Markup) -> Self {
        Self { title: title.into(), section: None, content, status: StatusCode::OK, is_live: false }
    }

    /// Where it stands in the navigation.
    pub(crate) fn section(mut self, section: Section) -> Self {
        self.section = Some(section);
        self
    }

    /// Its status, if it is not 200.
    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// It is worth fetching again when something changes.
    pub(crate) fn live(mut self) -> Self {
        self.is_live = true;
        self
    }

    /// The answer to somebody who came in.
    pub(crate) fn respond(self, ctx: &Ctx) -> Response {
        self.respond_to(&ctx.visit, Some(&ctx.grant))
    }

    /// The answer to anybody: who did not come in sees no navigation.
    pub(crate) fn respond_to(self, visit: &Visit, grant: Option<&Grant>) -> Response {
        let status = self.status;
        let markup = if visit.is_fragment { self.main(visit) } else { self.document(visit, grant) };
        let answer = Response::builder().status(status).header(CONTENT_TYPE, "text/html; charset=utf-8");
        answer.body(Body::from(markup.into_string())).expect("these headers are well formed")
    }

    fn document(&self, visit: &Visit, grant: Option<&Grant>) -> Markup {
        let text = visit.text;
        html! {
            (DOCTYPE)
            html lang=(text.tag()) data-theme=(visit.theme.as_str()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="robots" content="noindex";
                    @if self.status == StatusCode::SERVICE_UNAVAILABLE && visit.is_get {
                        meta http-equiv="refresh" content="5";
                    }
                    title { (text.title(&self.title)) }
                    link rel="icon" href=(visit.urls.asset(&ICON));
                    link rel="stylesheet" href=(visit.urls.asset(&STYLE));
                    script type="module" src=(visit.urls.asset(&SCRIPT)) {}
                }
                body data-events=[self.is_live.then(|| visit.urls.at("/events"))]
                    data-worker=[self.is_live.then(|| visit.urls.asset(&WORKER))]
                    data-copied=(text.copied()) data-updates=(text.show_updates())
                    data-polling=(text.live_polling()) data-live=(text.live_on()) data-lost=(text.live_lost())
                    data-off=(text.live_off()) data-prefix=(visit.urls.at("")) {
                    a .skip href="#main" { (text.skip()) }
                    @if let Some(grant) = grant {
                        (top(visit, self.is_live)) (navigation(visit, grant, self.section))
                    }
                    (self.main(visit))
                    (footer(visit, grant))
                    @if grant.is_some() { (keys::sheet(visit.text)) }
                }
            }
        }
    }

    fn main(&self, visit: &Visit) -> Markup {
        html! {
            main #main tabindex="-1" {
                (notice::show(visit))
                (self.content)
            }
        }
    }
}

fn top(visit: &Visit, is_live: bool) -> Markup {
    let text = visit.text;
    html! {
        header .top {
            a .brand href=(visit.urls.home()) {
                (part::brand())
                span { (text.product()) }
                @if !visit.shared.name.is_empty() { span .where { (visit.shared.name) } }
            }
            form .search role="search" action=(visit.urls.at("/jobs")) {
                label .hidden for="find" { (text.find_job()) }
                input #find type="search" name="q" placeholder=(text.find_hint()) autocomplete="off" spellcheck="false"
                    enterkeyhint="search" value=[visit.query.get("q").filter(|_| visit.path != "/jobs")];
            }
            div .tools {
                @if is_live {
                    button #live .quiet type="button" aria-pressed="true" hidden {
                        span .dot {} span .word { (text.live()) }
                    }
                }
                (languages(visit))
                (themes(visit))
            }
        }
    }
}

fn languages(visit: &Visit) -> Markup {
    let other = match visit.text.0 {
        Language::English => (Language::TraditionalChinese, "繁體中文"),
        Language::TraditionalChinese => (Language::English, "English"),
    };
    html! {
        form method="post" action=(visit.urls.at("/preferences")) {
            input type="hidden" name="back" value=(visit.here());
            button .quiet name="lang" value=(language::tag(other.0)) lang=(language::tag(other.0)) {
                (other.1)
            }
        }
    }
}

fn themes(visit: &Visit) -> Markup {
    let text = visit.text;
    let next = match visit.theme {
        Theme::Auto => Theme::Light,
        Theme::Light => Theme::Dark,
        Theme::Dark => Theme::Auto,
    };
    let word = |theme| match theme {
        Theme::Auto => text.theme_auto(),
        Theme::Light => text.theme_light(),
        Theme::Dark => text.theme_dark(),
    };
    html! {
        form method="post" action=(visit.urls.at("/preferences")) {
            input type="hidden" name="back" value=(visit.here());
            button .quiet name="theme" value=(next.as_str()) title={ (text.theme()) ": " (word(visit.theme)) } {
                (part::half_disc()) span .word { (word(visit.theme)) }
            }
        }
    }
}

fn navigation(visit: &Visit, grant: &Grant, section: Option<Section>) -> Markup {
    let text = visit.text;
    let glance = visit.shared.sampler.last_known();
    let count = |state| glance.as_ref().map(|glance| glance.count(state, &grant.scope));
    let running = count(State::Processing);
    let servers = glance.as_ref().map(|glance| visible(&grant.scope, glance).len() as u64);
    let places = [
        (Section::Overview, "/", text.overview(), None, ""),
        (Section::Jobs, "/jobs", text.jobs(), running, ""),
        (Section::Retries, "/jobs?q=state%3Aretrying", text.retries(), count(State::Retrying), "warm"),
        (Section::Failed, "/failed", text.failed_jobs(), count(State::Failed), "bad"),
        (Section::Recurring, "/recurring", text.recurring(), None, ""),
        (Section::Queues, "/queues", text.queues(), None, ""),
        (Section::Servers, "/servers", text.servers(), servers, ""),
        (Section::Audit, "/audit", text.audit(), None, ""),
        (Section::About, "/about", text.about(), None, ""),
    ];
    html! {
        nav .places aria-label=(text.navigation()) {
            ul {
                @for (place, path, word, count, tone) in places.into_iter().filter(|place| may_visit(grant, place.0)) {
                    li {
                        a href=(visit.urls.at(path)) data-key=(keys::of(place)) aria-current=[(section == Some(place)).then_some("page")] {
                            span { (word) }
                            @if let Some(count) = count.filter(|count| *count > 0) {
                                span .count .(tone) { (part::count(count)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Whether a place may be visited at all.
fn may_visit(grant: &Grant, place: Section) -> bool {
    match place {
        Section::Audit => grant.can.has(Permission::Audit) && grant.scope == Scope::Everything,
        Section::Failed => grant.can.has(Permission::ViewErrors),
        _ => true,
    }
}

fn footer(visit: &Visit, grant: Option<&Grant>) -> Markup {
    let text = visit.text;
    let as_of =
        |glance: &Glance| text.data_as_of(time::utc(glance.now).split(' ').nth(1).unwrap_or_default());
    let glance = grant.and_then(|_| visit.shared.sampler.last_known());
    html! {
        footer {
            @if let Some(grant) = grant {
                span { (text.version(env!("CARGO_PKG_VERSION"))) }
                @if let Some(glance) = &glance { span #as-of { (as_of(glance)) } }
                @if let Some(glance) = glance.filter(|glance| glance.clocks_disagree()) {
                    a .skew href=(visit.urls.at("/about")) {
                        (text.clocks_disagree()) " (" (text.length(glance.skew())) ")"
                    }
                }
                span { (text.signed_in(&grant.actor)) }
                button #keys-open .quiet type="button" hidden { (text.keyboard()) }
            }
        }
    }
}

/// Whether any action on selected jobs may be shown.
pub(crate) fn may_steer_jobs(ctx: &Ctx) -> bool {
    [Permission::Run, Permission::Cancel, Permission::Delete, Permission::Reschedule]
        .iter()
        .any(|p| ctx.can(*p))
}

//! The one table of addresses: what is not in it does not exist, and what it says of a route is enforced.
//!
//! Each row says how an address is asked for, what right it takes, whether it changes anything, and how a
//! refusal is told. `serve.rs` reads the table and nothing else; a test enumerates it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use axum::response::Response;
use portfire_core::Order;
use portfire_core::storage::{QueueOrder, ServerOrder};

use crate::actions::{self, Steer};
use crate::api::{self, act, read};
use crate::ctx::Ctx;
use crate::gate::Permission;
use crate::page;
use crate::refusal::Result;

/// How an address is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// To read; `HEAD` is answered likewise.
    Get,
    /// To change something.
    Post,
}

/// What a request does beside being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Nothing,
    /// It changes how the visitor's own browser shows the dashboard.
    Preference,
    /// It changes jobs, schedules, queues or servers, and is written to the audit log.
    Change,
}

/// How an answer that is a refusal is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// As a page.
    Page,
    /// As a JSON problem document.
    Api,
    /// As an embedded file: without asking who it is, because there is no secret in it.
    File,
}

pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Response>> + Send>>;

/// One row.
#[derive(Clone, Copy)]
pub struct Route {
    /// How it is asked for.
    pub method: Method,
    /// The path within the dashboard; `{…}` stands for one segment.
    pub path: &'static str,
    /// The right it takes; `None` for embedded files.
    pub permission: Option<Permission>,
    /// What it does beside.
    pub effect: Effect,
    /// How a refusal is told.
    pub surface: Surface,
    pub(crate) answer: fn(Ctx) -> Answering,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, permission, effect, surface, .. } = self;
        write!(f, "{method:?} {path} {permission:?} {effect:?} {surface:?}")
    }
}

/// A page.
const fn get(path: &'static str, permission: Permission, answer: fn(Ctx) -> Answering) -> Route {
    let (method, effect, surface) = (Method::Get, Effect::Nothing, Surface::Page);
    Route { method, path, permission: Some(permission), effect, surface, answer }
}

/// A form that changes something.
const fn post(path: &'static str, permission: Permission, answer: fn(Ctx) -> Answering) -> Route {
    let (method, effect, surface) = (Method::Post, Effect::Change, Surface::Page);
    Route { method, path, permission: Some(permission), effect, surface, answer }
}

/// What programs read.
const fn api_get(path: &'static str, permission: Permission, answer: fn(Ctx) -> Answering) -> Route {
    Route { surface: Surface::Api, ..get(path, permission, answer) }
}

/// What programs do.
const fn api_post(path: &'static str, permission: Permission, answer: fn(Ctx) -> Answering) -> Route {
    Route { surface: Surface::Api, ..post(path, permission, answer) }
}

use Permission as P;

static ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/assets/{name}",
        permission: None,
        effect: Effect::Nothing,
        surface: Surface::File,
        answer: |ctx| Box::pin(std::future::ready(page::asset(&ctx))),
    },
    Route {
        method: Method::Post,
        path: "/preferences",
        permission: Some(P::View),
        effect: Effect::Preference,
        surface: Surface::Page,
        answer: |ctx| Box::pin(std::future::ready(Ok(page::preferences(&ctx)))),
    },
    get("/", P::View, |ctx| Box::pin(page::overview::show(ctx))),
    get("/events", P::View, |ctx| Box::pin(crate::live::events(ctx))),
    get("/jobs", P::View, |ctx| Box::pin(page::jobs::show(ctx))),
    get("/jobs/{id}", P::View, |ctx| Box::pin(page::job::show(ctx))),
    post("/jobs/run", P::Run, |ctx| Box::pin(actions::jobs(ctx, Steer::Run))),
    post("/jobs/cancel", P::Cancel, |ctx| Box::pin(actions::jobs(ctx, Steer::Cancel))),
    post("/jobs/reschedule", P::Reschedule, |ctx| Box::pin(actions::jobs(ctx, Steer::Reschedule))),
    post("/jobs/move", P::MoveQueue, |ctx| Box::pin(actions::jobs(ctx, Steer::Move))),
    post("/jobs/prioritize", P::SetPriority, |ctx| Box::pin(actions::jobs(ctx, Steer::Prioritize))),
    post("/jobs/delete", P::Delete, |ctx| Box::pin(actions::jobs(ctx, Steer::Delete))),
    get("/failed", P::ViewErrors, |ctx| Box::pin(page::failed::show(ctx))),
    get("/failed/all", P::ViewErrors, |ctx| Box::pin(page::alike::ask(ctx))),
    post("/faults/run", P::Run, |ctx| Box::pin(actions::alike::steer(ctx, Steer::Run))),
    post("/faults/delete", P::Delete, |ctx| Box::pin(actions::alike::steer(ctx, Steer::Delete))),
    get("/recurring", P::View, |ctx| Box::pin(page::recurring::show(ctx))),
    get("/recurring/one", P::View, |ctx| Box::pin(page::schedule::show(ctx))),
    post("/recurring/run", P::ScheduleRun, |ctx| Box::pin(actions::schedules::run(ctx))),
    post("/recurring/pause", P::SchedulePause, |ctx| Box::pin(actions::schedules::pause(ctx))),
    post("/recurring/resume", P::SchedulePause, |ctx| Box::pin(actions::schedules::resume(ctx))),
    post("/recurring/remove", P::ScheduleRemove, |ctx| Box::pin(actions::schedules::remove(ctx))),
    get("/queues", P::View, |ctx| Box::pin(page::queues::show(ctx))),
    post("/queues/pause", P::PauseQueue, |ctx| Box::pin(actions::queues::direct(ctx, QueueOrder::Pause))),
    post("/queues/resume", P::PauseQueue, |ctx| Box::pin(actions::queues::direct(ctx, QueueOrder::Resume))),
    get("/servers", P::View, |ctx| Box::pin(page::servers::show(ctx))),
    post("/servers/quiet", P::ServerQuiet, |ctx| Box::pin(actions::servers::direct(ctx, ServerOrder::Quiet))),
    post("/servers/resume", P::ServerQuiet, |ctx| Box::pin(actions::servers::direct(ctx, ServerOrder::Run))),
    post("/servers/stop", P::ServerStop, |ctx| Box::pin(actions::servers::direct(ctx, ServerOrder::Stop))),
    get("/audit", P::Audit, |ctx| Box::pin(page::audit::show(ctx))),
    get("/about", P::View, |ctx| Box::pin(page::about::show(ctx))),
    Route {
        method: Method::Get,
        path: "/api/v1/openapi.json",
        permission: None,
        effect: Effect::Nothing,
        surface: Surface::File,
        answer: |_| Box::pin(std::future::ready(Ok(api::document()))),
    },
    api_get("/api/v1/me", P::View, |ctx| Box::pin(async move { read::me(&ctx) })),
    api_get("/api/v1/overview", P::View, |ctx| Box::pin(read::overview(ctx))),
    api_get("/api/v1/history", P::View, |ctx| Box::pin(read::history(ctx))),
    api_get("/api/v1/jobs", P::View, |ctx| Box::pin(read::jobs(ctx))),
    api_get("/api/v1/jobs/{id}", P::View, |ctx| Box::pin(read::job(ctx))),
    api_post("/api/v1/jobs/run", P::Run, |ctx| Box::pin(act::jobs(ctx, Steer::Run))),
    api_post("/api/v1/jobs/cancel", P::Cancel, |ctx| Box::pin(act::jobs(ctx, Steer::Cancel))),
    api_post("/api/v1/jobs/reschedule", P::Reschedule, |ctx| Box::pin(act::jobs(ctx, Steer::Reschedule))),
    api_post("/api/v1/jobs/move", P::MoveQueue, |ctx| Box::pin(act::jobs(ctx, Steer::Move))),
    api_post("/api/v1/jobs/prioritize", P::SetPriority, |ctx| Box::pin(act::jobs(ctx, Steer::Prioritize))),
    api_post("/api/v1/jobs/delete", P::Delete, |ctx| Box::pin(act::jobs(ctx, Steer::Delete))),
    api_get("/api/v1/faults", P::ViewErrors, |ctx| Box::pin(read::faults(ctx))),
    api_post("/api/v1/faults/run", P::Run, |ctx| Box::pin(act::alike(ctx, Steer::Run))),
    api_post("/api/v1/faults/delete", P::Delete, |ctx| Box::pin(act::alike(ctx, Steer::Delete))),
    api_get("/api/v1/recurring", P::View, |ctx| Box::pin(read::schedules(ctx))),
    api_get("/api/v1/recurring/one", P::View, |ctx| Box::pin(read::schedule(ctx))),
    api_post("/api/v1/recurring/run", P::ScheduleRun, |ctx| Box::pin(act::run_schedule(ctx))),
    api_post("/api/v1/recurring/pause", P::SchedulePause, |ctx| {
        Box::pin(act::direct_schedule(ctx, Order::Pause))
    }),
    api_post("/api/v1/recurring/resume", P::SchedulePause, |ctx| {
        Box::pin(act::direct_schedule(ctx, Order::Resume))
    }),
    api_post("/api/v1/recurring/remove", P::ScheduleRemove, |ctx| {
        Box::pin(act::direct_schedule(ctx, Order::Remove))
    }),
    api_get("/api/v1/queues", P::View, |ctx| Box::pin(read::queues(ctx))),
    api_post("/api/v1/queues/pause", P::PauseQueue, |ctx| {
        Box::pin(act::direct_queue(ctx, QueueOrder::Pause))
    }),
    api_post("/api/v1/queues/resume", P::PauseQueue, |ctx| {
        Box::pin(act::direct_queue(ctx, QueueOrder::Resume))
    }),
    api_get("/api/v1/servers", P::View, |ctx| Box::pin(read::servers(ctx))),
    api_post("/api/v1/servers/quiet", P::ServerQuiet, |ctx| {
        Box::pin(act::direct_server(ctx, ServerOrder::Quiet))
    }),
    api_post("/api/v1/servers/resume", P::ServerQuiet, |ctx| {
        Box::pin(act::direct_server(ctx, ServerOrder::Run))
    }),
    api_post("/api/v1/servers/stop", P::ServerStop, |ctx| {
        Box::pin(act::direct_server(ctx, ServerOrder::Stop))
    }),
    api_get("/api/v1/audit", P::Audit, |ctx| Box::pin(read::audit(ctx))),
    api_get("/api/v1/about", P::View, |ctx| Box::pin(read::about(ctx))),
];

/// The whole table.
pub fn routes() -> &'static [Route] {
    ROUTES
}

/// What an address leads to.
#[derive(Debug)]
pub(crate) enum Found {
    /// This route, and what stands in the places of its path.
    Route(&'static Route, Vec<String>),
    /// The address is known, but not with this method; how it is known.
    OtherMethod(&'static Route),
    /// Nothing.
    Nothing,
}

/// Looks an address up. A path that names a segment comes before one with a place for it.
pub(crate) fn find(method: Method, path: &str) -> Found {
    let path = if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path };
    let matching = || ROUTES.iter().filter_map(|route| Some((route, fit(route.path, path)?)));
    let best = matching().filter(|(route, _)| route.method == method).min_by_key(|(_, params)| params.len());
    match best {
        Some((route, params)) => Found::Route(route, params),
        None => matching().next().map_or(Found::Nothing, |(route, _)| Found::OtherMethod(route)),
    }
}

/// What stands in the places of a pattern, if the path fits it.
fn fit(pattern: &str, path: &str) -> Option<Vec<String>> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut params = Vec::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(params),
            (Some(place), Some(segment)) if place.starts_with('{') && !segment.is_empty() => {
                params.push(segment.to_owned());
            }
            (Some(name), Some(segment)) if name == segment => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, Method, find};

    #[test]
    fn an_address_is_found_as_the_table_says() {
        let path = |method, path| match find(method, path) {
            Found::Route(route, params) => format!("{} {params:?}", route.path),
            Found::OtherMethod(route) => format!("other {}", route.path),
            Found::Nothing => "nothing".to_owned(),
        };
        assert_eq!(path(Method::Get, "/"), "/ []");
        assert_eq!(path(Method::Get, "/jobs/"), "/jobs []");
        assert_eq!(path(Method::Get, "/jobs/run"), "/jobs/{id} [\"run\"]");
        assert_eq!(path(Method::Post, "/jobs/run"), "/jobs/run []");
        assert_eq!(path(Method::Post, "/jobs"), "other /jobs");
        assert_eq!(path(Method::Get, "/jobs//"), "nothing");
        assert_eq!(path(Method::Get, "/jobs/a/b"), "nothing");
        assert_eq!(path(Method::Get, "//evil"), "nothing");
    }
}

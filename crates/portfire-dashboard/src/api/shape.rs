//! What each thing looks like. Names are those of the storage contract; a name here is a promise.

use portfire_core::limits::COUNT_MAX;
use portfire_core::storage::{
    AttemptView, AuditEntry, FaultGroup, JobDetails, JobSummary, LogLine, Overview, ParentView, ServerView,
    SlotView, StorageView, Tally,
};
use portfire_core::{ScheduleView, Standing, State, Timestamp};

use super::write::{Object, Value};
use crate::gate::Scope;
use crate::page::servers::tells_running;
use crate::sampler::Glance;

fn texts(items: &[Box<str>]) -> Vec<Value> {
    Value::each(items, |text| (&**text).into())
}

/// A count, and whether there may be more.
fn count(state: State, jobs: u64) -> Object {
    Object::new().with("state", state.as_str()).with("jobs", jobs).with("more", jobs >= COUNT_MAX)
}

pub(super) fn overview(glance: &Glance, scope: &Scope) -> Object {
    let states = Value::each(State::ALL, |state| count(state, glance.count(state, scope)).into());
    Object::new().with("now", glance.now).with("states", states)
}

pub(super) fn tally(tally: &Tally) -> Value {
    Object::new()
        .with("from", tally.from)
        .with("seconds", tally.width.seconds())
        .with("created", tally.created)
        .with("succeeded", tally.succeeded)
        .with("failed", tally.failed)
        .with("cancelled", tally.cancelled)
        .with("retried", tally.retried)
        .with("crashed", tally.crashed)
        .with("mean_wait_ms", tally.mean_wait())
        .with("mean_run_ms", tally.mean_run())
        .into()
}

pub(super) fn summary(job: &JobSummary) -> Object {
    Object::new()
        .with("id", Value::of(job.id))
        .with("state", job.state.as_str())
        .with("kind", &*job.kind)
        .with("queue", &*job.queue)
        .with("priority", job.priority)
        .with("attempts", job.attempts)
        .with("created_at", job.created_at)
        .with("run_at", job.run_at)
        .with("started_at", job.started_at)
        .with("finished_at", job.finished_at)
        .with("server", job.server.map(Value::of))
        .with("tags", texts(&job.tags))
        .with("fault", job.fault.as_deref())
}

pub(super) fn job(job: &JobDetails) -> Object {
    let progress = job.progress.as_ref().map(|progress| {
        let object = Object::new().with("done", progress.done).with("total", progress.total);
        object.with("message", progress.message.as_deref())
    });
    let slot =
        job.slot.as_ref().map(|slot| Object::new().with("schedule", &*slot.schedule).with("at", slot.at));
    summary(&job.summary)
        .with("args", &job.args)
        .with("attempts_max", job.policy.attempts_max)
        .with("timeout_ms", job.policy.timeout)
        .with("crashes", job.crashes)
        .with("fingerprint", job.fingerprint.map(Value::of))
        .with("unique", job.unique.as_deref())
        .with("slot", slot)
        .with("cancel_requested", job.cancel_requested)
        .with("result", job.result.as_ref())
        .with("progress", progress)
        .with("log", Value::each(&job.log, line))
        .with("history", Value::each(&job.history, attempt))
        .with("parents", Value::each(&job.parents, parent))
        .with("children", Value::each(&job.children, Value::of))
}

fn line(line: &LogLine) -> Value {
    Object::new().with("at", line.at).with("attempt", line.attempt).with("text", &*line.text).into()
}

fn attempt(view: &AttemptView) -> Value {
    Object::new()
        .with("attempt", view.attempt)
        .with("started_at", view.started_at)
        .with("ended_at", view.ended_at)
        .with("server", Value::of(view.server))
        .with("outcome", &*view.outcome)
        .with("fault", view.fault.as_ref().map(|fault| &*fault.message))
        .into()
}

fn parent(parent: &ParentView) -> Value {
    let object = Object::new().with("id", Value::of(parent.job)).with("on", parent.on.as_str());
    object.with("state", parent.state.map(State::as_str)).into()
}

pub(super) fn fault(group: &FaultGroup) -> Value {
    Object::new()
        .with("fingerprint", Value::of(group.fingerprint))
        .with("kind", &*group.kind)
        .with("sample", &*group.sample)
        .with("first_at", group.first_at)
        .with("last_at", group.last_at)
        .with("count", group.count)
        .with("last_job", Value::of(group.last_job))
        .with("failed_now", group.kept)
        .into()
}

pub(super) fn schedule(view: &ScheduleView) -> Object {
    let (next, problem) = match &view.standing {
        Standing::Active { next } => (Some(*next), None),
        Standing::Paused => (None, None),
        Standing::Flagged { problem } => (None, Some(&**problem)),
    };
    let run = view.last_run.as_ref();
    let run = run
        .map(|run| Object::new().with("job", Value::of(run.job)).with("state", run.state.map(State::as_str)));
    let one = &view.schedule;
    Object::new()
        .with("id", &*one.id)
        .with("cron", &*one.cron)
        .with("zone", &*one.zone)
        .with("standing", view.standing.as_str())
        .with("next", next)
        .with("problem", problem)
        .with("last_slot", view.last_slot)
        .with("last_run", run)
        .with("created_at", view.created_at)
        .with("kind", &*one.job.kind)
        .with("queue", &*one.job.queue)
        .with("priority", one.job.priority)
        .with("args", &one.job.args)
        .with("tags", texts(&one.job.tags))
}

pub(super) fn slot(slot: &SlotView) -> Value {
    Object::new()
        .with("at", slot.at)
        .with("fired_at", slot.fired_at)
        .with("fate", slot.fate.as_str())
        .with("job", slot.job.map(Value::of))
        .with("state", slot.state.map(State::as_str))
        .into()
}

pub(super) fn queue(overview: &Overview, name: &str) -> Value {
    let counts = || overview.counts.iter().filter(|count| *count.queue == *name);
    let paused = overview.paused.iter().find(|paused| *paused.queue == *name).map(|paused| {
        let object = Object::new().with("since", paused.since).with("by", paused.by.as_deref());
        object.with("reason", paused.reason.as_deref())
    });
    let servers = overview.servers.iter();
    let serving = servers.filter(|server| server.info.queues.iter().any(|queue| **queue == *name));
    let states = Value::each(counts(), |one| {
        Object::new().with("state", one.state.as_str()).with("jobs", one.jobs).with("more", one.more).into()
    });
    Object::new()
        .with("name", name)
        .with("states", states)
        .with("oldest", counts().find_map(|count| count.oldest))
        .with("slots", serving.map(|server| server.info.slots).sum::<u32>())
        .with("paused", paused)
        .into()
}

pub(super) fn server(view: &ServerView, scope: &Scope) -> Value {
    let info = &view.info;
    let queues = info.queues.iter().filter(|queue| scope.has_queue(queue));
    Object::new()
        .with("id", Value::of(view.id))
        .with("name", &*info.name)
        .with("host", &*info.host)
        .with("build", &*info.build)
        .with("pid", info.pid)
        .with("queues", Value::each(queues, |queue| (&**queue).into()))
        .with("slots", info.slots)
        .with("running", Some(info.running).filter(|_| tells_running(scope, view)))
        .with("started_at", view.started_at)
        .with("lease_until", view.lease_until)
        .with("order", view.order.as_str())
        .into()
}

pub(super) fn entry(entry: &AuditEntry) -> Value {
    let target = Object::new().with("sort", entry.target.sort()).with("name", &*entry.target.name());
    Object::new()
        .with("id", Value::of(entry.id))
        .with("at", entry.at)
        .with("target", target)
        .with("action", &*entry.action)
        .with("actor", entry.by.name())
        .with("via", entry.by.via().as_str())
        .with("reason", entry.by.reason())
        .with("before", entry.before.as_deref())
        .with("after", entry.after.as_deref())
        .with("outcome", entry.outcome.as_str())
        .into()
}

pub(super) fn storage(view: &StorageView, now: Timestamp) -> Object {
    Object::new()
        .with("version", env!("CARGO_PKG_VERSION"))
        .with("product", &*view.product)
        .with("schema_version", view.schema_version)
        .with("place", &*view.place)
        .with("size_bytes", view.size_bytes)
        .with("now", now)
}

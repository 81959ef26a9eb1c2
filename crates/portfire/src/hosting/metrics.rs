//! What is counted, through the `metrics` facade: nothing is measured unless the application installs a
//! recorder.
//!
//! | name | kind | labels |
//! |---|---|---|
//! | `portfire_service_failures_total` | counter | `service` |
//! | `portfire_service_restarts_total` | counter | `service` |
//! | `portfire_service_stop_seconds` | histogram | `service` |
//! | `portfire_ticks_total` | counter | `service`, `end`: `ok`, `failed` |
//! | `portfire_ticks_missed_total` | counter | `service` |
//! | `portfire_tick_seconds` | histogram | `service` |
//! | `portfire_tasks_total` | counter | `queue`, `end`: see [`TaskState`](super::TaskState) |
//! | `portfire_task_seconds` | histogram | `queue` |
//! | `portfire_tasks_waiting` | gauge | `queue` |

use std::time::Duration;

use metrics::{counter, gauge, histogram};

pub(super) fn failed(service: &str) {
    counter!("portfire_service_failures_total", "service" => service.to_owned()).increment(1);
}

pub(super) fn restarted(service: &str) {
    counter!("portfire_service_restarts_total", "service" => service.to_owned()).increment(1);
}

pub(super) fn stopped(service: &str, took: Duration) {
    histogram!("portfire_service_stop_seconds", "service" => service.to_owned()).record(took);
}

pub(super) fn ticked(service: &str, is_ok: bool, took: Duration, missed: u64) {
    let end = if is_ok { "ok" } else { "failed" };
    counter!("portfire_ticks_total", "service" => service.to_owned(), "end" => end).increment(1);
    counter!("portfire_ticks_missed_total", "service" => service.to_owned()).increment(missed);
    histogram!("portfire_tick_seconds", "service" => service.to_owned()).record(took);
}

pub(super) fn task_ended(queue: &str, end: &'static str) {
    counter!("portfire_tasks_total", "queue" => queue.to_owned(), "end" => end).increment(1);
}

pub(super) fn task_ran(queue: &str, took: Duration) {
    histogram!("portfire_task_seconds", "queue" => queue.to_owned()).record(took);
}

pub(super) fn waiting(queue: &str, tasks: usize) {
    let tasks = u32::try_from(tasks).unwrap_or(u32::MAX);
    gauge!("portfire_tasks_waiting", "queue" => queue.to_owned()).set(f64::from(tasks));
}

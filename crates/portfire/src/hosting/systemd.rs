//! Tells systemd how the process is, when systemd started it (`Type=notify`, `Type=notify-reload`,
//! `WatchdogSec=`). Otherwise nothing.
//!
//! 1. `READY=1` when every service has started, with a status line.
//! 2. `WATCHDOG=1` at half the watchdog's interval, only while every loop of the host turns: a stuck loop lets
//!    systemd restart the process, and the status names it.
//! 3. `RELOADING=1` and `READY=1` around a reload.
//! 4. `STOPPING=1` at the request to stop.
//!
//! The `sd-notify` crate writes the datagrams: `RELOADING=1` must carry the monotonic clock of the system,
//! which cannot be read without `unsafe`, and this crate has none.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::health::Health;
use super::lifetime::Lifetime;
use super::report::Report;
use super::run::Reloader;
use crate::clock::monotonic_now;

/// Accompanies a started host: says that it is ready, pings, reloads, and says that it stops.
pub(super) async fn accompany(
    lifetime: &Lifetime,
    health: &Health,
    reloader: Reloader,
    mut reload: UnboundedReceiver<()>,
) {
    tell::ready(health.services().len());
    let watchdog = tell::watchdog_interval();
    let mut ping_at = watchdog.map(|interval| monotonic_now() + interval / 2);
    loop {
        tokio::select! {
            () = lifetime.asked() => break,
            Some(()) = reload.recv() => {
                tell::reloading();
                reloader.reload().await;
                tell::ready(health.services().len());
            }
            () = until(ping_at) => {
                ping(health);
                ping_at = watchdog.map(|interval| monotonic_now() + interval / 2);
            }
        }
    }
    tell::stopping();
    // The watchdog goes on to the end: a stop that blocks its thread is stuck, too.
    while let Some(interval) = watchdog {
        until(Some(monotonic_now() + interval / 2)).await;
        ping(health);
    }
}

/// The last word: how it ended.
pub(super) fn say_stopped(report: &Report) {
    tell::status(&report.to_string());
}

fn ping(health: &Health) {
    let stuck = health.stuck();
    if stuck.is_empty() {
        tell::alive();
    } else {
        tracing::error!(?stuck, "the watchdog is not told that all is well");
        tell::status(&format!("stuck: {}", stuck.join(", ")));
    }
}

async fn until(instant: Option<tokio::time::Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

#[cfg(target_os = "linux")]
mod tell {
    use sd_notify::NotifyState;

    use super::Duration;

    pub(super) fn ready(services: usize) {
        let status = format!("{services} services run");
        say(&[NotifyState::Ready, NotifyState::Status(&status)]);
    }

    pub(super) fn stopping() {
        say(&[NotifyState::Stopping]);
    }

    pub(super) fn reloading() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => say(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "the monotonic clock cannot be read"),
        }
    }

    pub(super) fn alive() {
        say(&[NotifyState::Watchdog]);
    }

    pub(super) fn status(text: &str) {
        // One line: a line break would begin another assignment.
        say(&[NotifyState::Status(&text.replace(['\n', '\r'], " "))]);
    }

    pub(super) fn watchdog_interval() -> Option<Duration> {
        sd_notify::watchdog_enabled()
    }

    /// Does nothing when nobody listens.
    fn say(states: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(states) {
            tracing::warn!(%error, "systemd could not be told");
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod tell {
    use super::Duration;

    pub(super) fn ready(_services: usize) {}
    pub(super) fn stopping() {}
    pub(super) fn reloading() {}
    pub(super) fn alive() {}
    pub(super) fn status(_text: &str) {}
    pub(super) fn watchdog_interval() -> Option<Duration> {
        None
    }
}

//! Tells systemd how the process is, when systemd started it (`Type=notify`, `Type=notify-reload`,
//! `WatchdogSec=`). Otherwise nothing.
//!
//! 1. `READY=1` when every service has started, with a status line.
//! 2. `WATCHDOG=1` at half the watchdog's interval, only while every loop of the host turns: a stuck loop lets
//!    systemd restart the process, and the status names it.
//! 3. `RELOADING=1` and `READY=1` around a reload, which the pings do not wait for.
//! 4. `STOPPING=1` at the request to stop, which also cancels a reload.
//!
//! The `sd-notify` crate writes the datagrams: `RELOADING=1` must carry the monotonic clock of the system,
//! which cannot be read without `unsafe`, and this crate has none.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep_until;

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
    reload: UnboundedReceiver<()>,
) {
    tell::ready(health.services().len());
    let stop = async {
        lifetime.asked().await;
        tell::stopping();
        reloader.cancel();
    };
    tokio::join!(stop, reloads(lifetime, health, &reloader, reload), pings(health));
}

/// Reloads whenever it is asked to, until the host is asked to stop.
async fn reloads(
    lifetime: &Lifetime,
    health: &Health,
    reloader: &Reloader,
    mut reload: UnboundedReceiver<()>,
) {
    loop {
        tokio::select! {
            biased;
            () = lifetime.asked() => return,
            asked = reload.recv() => if asked.is_none() { return },
        }
        tell::reloading();
        reloader.reload().await;
        if !lifetime.was_asked() {
            tell::ready(health.services().len());
        }
    }
}

/// Pings to the very end: a stop that blocks its thread is stuck, too.
async fn pings(health: &Health) {
    let Some(interval) = tell::watchdog_interval() else { return };
    loop {
        sleep_until(monotonic_now() + interval / 2).await;
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

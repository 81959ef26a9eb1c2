//! What was done, told once on the page that one comes back to.
//!
//! It travels in the address (`done=cancel.3.1`), in a form that can say nothing but this: any process answers
//! it, and nobody can put words of their own on the page.

use std::fmt;
use std::str::FromStr;

use maud::{Markup, html};

use crate::ctx::Visit;
use crate::messages::Text;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Run,
    Cancel,
    Flag,
    Reschedule,
    Move,
    Prioritize,
    Delete,
    ScheduleRun,
    SchedulePause,
    ScheduleResume,
    ScheduleRemove,
    QueuePause,
    QueueResume,
    ServerQuiet,
    ServerResume,
    ServerStop,
}

impl Deed {
    const ALL: [Self; 16] = [
        Self::Run,
        Self::Cancel,
        Self::Flag,
        Self::Reschedule,
        Self::Move,
        Self::Prioritize,
        Self::Delete,
        Self::ScheduleRun,
        Self::SchedulePause,
        Self::ScheduleResume,
        Self::ScheduleRemove,
        Self::QueuePause,
        Self::QueueResume,
        Self::ServerQuiet,
        Self::ServerResume,
        Self::ServerStop,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Cancel => "cancel",
            Self::Flag => "flag",
            Self::Reschedule => "reschedule",
            Self::Move => "move",
            Self::Prioritize => "prioritize",
            Self::Delete => "delete",
            Self::ScheduleRun => "schedule-run",
            Self::SchedulePause => "schedule-pause",
            Self::ScheduleResume => "schedule-resume",
            Self::ScheduleRemove => "schedule-remove",
            Self::QueuePause => "queue-pause",
            Self::QueueResume => "queue-resume",
            Self::ServerQuiet => "server-quiet",
            Self::ServerResume => "server-resume",
            Self::ServerStop => "server-stop",
        }
    }
}

/// A deed, to how many it was done, and how many it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) deed: Deed,
    pub(crate) done: u32,
    pub(crate) not_done: u32,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.deed.as_str(), self.done, self.not_done)
    }
}

impl FromStr for Notice {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.');
        let word = parts.next().ok_or(())?;
        let deed = Deed::ALL.into_iter().find(|deed| deed.as_str() == word).ok_or(())?;
        let mut number = || parts.next().and_then(|number| number.parse().ok()).ok_or(());
        Ok(Self { deed, done: number()?, not_done: number()? })
    }
}

/// The notice that the address carries, if it does.
pub(crate) fn show(visit: &Visit) -> Markup {
    let notice = visit.query.get("done").and_then(|text| text.parse::<Notice>().ok());
    html! {
        @if let Some(notice) = notice {
            @if notice.done > 0 { p .notice role="status" { (done(visit.text, notice)) } }
            @if notice.not_done > 0 {
                p .notice .warm role="status" { (visit.text.not_done(notice.not_done)) }
            }
        }
    }
}

fn done(text: Text, notice: Notice) -> String {
    let jobs = text.count_jobs(notice.done.into());
    match notice.deed {
        Deed::Run => text.done_run(&jobs),
        Deed::Cancel => text.done_cancel(&jobs),
        Deed::Flag => text.done_flag(&jobs),
        Deed::Reschedule => text.done_reschedule(&jobs),
        Deed::Move => text.done_move(&jobs),
        Deed::Prioritize => text.done_prioritize(&jobs),
        Deed::Delete => text.done_delete(&jobs),
        Deed::ScheduleRun => text.done_schedule_run().to_owned(),
        Deed::SchedulePause | Deed::QueuePause => text.done_schedule_pause().to_owned(),
        Deed::ScheduleResume | Deed::QueueResume => text.done_schedule_resume().to_owned(),
        Deed::ScheduleRemove => text.done_schedule_remove().to_owned(),
        Deed::ServerQuiet => text.done_server_quiet().to_owned(),
        Deed::ServerResume => text.done_server_resume().to_owned(),
        Deed::ServerStop => text.done_server_stop().to_owned(),
    }
}

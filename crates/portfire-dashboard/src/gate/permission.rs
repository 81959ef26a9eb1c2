//! What one may be allowed to do.

use std::fmt;
use std::str::FromStr;

use portfire_core::Error;

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $word:literal),* $(,)?) => {
        /// One right.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Permission {
            $($(#[$doc])* $name),*
        }

        impl Permission {
            /// All rights.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word for it, in refusals and configuration.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word),*
                }
            }
        }
    };
}

permissions! {
    /// To see pages, without what the rights below keep.
    View = "view",
    /// To see what jobs were called with, and what they produced.
    ViewArgs = "view_args",
    /// To see why attempts failed.
    ViewErrors = "view_errors",
    /// To see what jobs logged.
    ViewLogs = "view_logs",
    /// To run a job now: one that waits, and one that ended.
    Run = "run",
    /// To cancel a job.
    Cancel = "cancel",
    /// To move a job to another time.
    Reschedule = "reschedule",
    /// To move a job to another queue.
    MoveQueue = "move_queue",
    /// To change a job's priority.
    SetPriority = "set_priority",
    /// To delete a job and all that belongs to it.
    Delete = "delete",
    /// To do any of this to several jobs at once.
    Bulk = "bulk",
    /// To run a schedule out of turn.
    ScheduleRun = "schedule_run",
    /// To pause and resume a schedule.
    SchedulePause = "schedule_pause",
    /// To remove a schedule.
    ScheduleRemove = "schedule_remove",
    /// To pause and resume a queue.
    PauseQueue = "pause_queue",
    /// To let a server claim nothing more, or again.
    ServerQuiet = "server_quiet",
    /// To shut a server down.
    ServerStop = "server_stop",
    /// To see who did what.
    Audit = "audit",
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Permission {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        Self::ALL.iter().copied().find(|known| known.as_str() == word).ok_or_else(|| {
            let words: Vec<_> = Self::ALL.iter().map(|known| known.as_str()).collect();
            Error::misuse(format!("`{word}` is not a permission; there are: {}", words.join(", ")))
        })
    }
}

/// A set of rights.
///
/// ```
/// use portfire_dashboard::{Permission, Permissions};
///
/// let support = Permissions::viewer().with(Permission::Run).without(Permission::ViewArgs);
/// assert!(support.has(Permission::Run) && !support.has(Permission::Delete));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(u32);

impl Permissions {
    /// No right at all.
    pub const fn none() -> Self {
        Self(0)
    }

    /// To see everything but who did what, and to change nothing.
    pub fn viewer() -> Self {
        use Permission as P;
        [P::View, P::ViewArgs, P::ViewErrors, P::ViewLogs].into_iter().collect()
    }

    /// To see everything, and to do what can be undone or done again.
    pub fn operator() -> Self {
        use Permission as P;
        let keeps_from = [P::Delete, P::ScheduleRemove, P::ServerStop];
        Permission::ALL.iter().copied().filter(|known| !keeps_from.contains(known)).collect()
    }

    /// Everything.
    pub fn admin() -> Self {
        Permission::ALL.iter().copied().collect()
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, permission: Permission) -> Self {
        Self(self.0 | 1 << permission as u32)
    }

    /// These without one.
    #[must_use]
    pub const fn without(self, permission: Permission) -> Self {
        Self(self.0 & !(1 << permission as u32))
    }

    /// Whether this right is among them.
    pub const fn has(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u32) != 0
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(rights: I) -> Self {
        rights.into_iter().fold(Self::none(), Self::with)
    }
}

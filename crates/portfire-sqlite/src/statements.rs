//! The statements, by operation: `sql/<operation>.sql` with the prefix of this database put in.
//!
//! SQL is only ever made from these files and a checked prefix, never from input.

use portfire_core::{Error, Result};

use crate::DEFAULT_PREFIX;

macro_rules! operations {
    ($($name:ident = $file:literal,)*) => {
        /// One operation on the database.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Op {
            $(#[doc = $file] $name,)*
        }

        /// The text of every operation, in the order of [`Op`].
        const TEXTS: &[&str] = &[$(include_str!(concat!("../sql/", $file, ".sql")),)*];
    };
}

operations! {
    AttemptDelete = "attempt_delete",
    AttemptInsert = "attempt_insert",
    AuditAbout = "audit_about",
    AuditInsert = "audit_insert",
    AuditList = "audit_list",
    AuditPrune = "audit_prune",
    AwaitingCount = "awaiting_count",
    AwaitingDelete = "awaiting_delete",
    AwaitingInsert = "awaiting_insert",
    Beat = "beat",
    CancelFlags = "cancel_flags",
    CancelRequest = "cancel_request",
    ChildrenOf = "children_of",
    Claim = "claim",
    ClaimClose = "claim_close",
    ClaimRepeat = "claim_repeat",
    DependencyDecide = "dependency_decide",
    DependencyDelete = "dependency_delete",
    DependencyInsert = "dependency_insert",
    Ending = "ending",
    Expired = "expired",
    FaultJoin = "fault_join",
    FaultsForget = "faults_forget",
    Fence = "fence",
    FenceExpired = "fence_expired",
    FinishedDelete = "finished_delete",
    FinishedInsert = "finished_insert",
    FinishedInsertSet = "finished_insert_set",
    Held = "held",
    JobAgain = "job_again",
    JobCounts = "job_counts",
    JobDelete = "job_delete",
    JobExists = "job_exists",
    JobInsert = "job_insert",
    JobMove = "job_move",
    JobRelocate = "job_relocate",
    JobReset = "job_reset",
    LeaseValid = "lease_valid",
    Leave = "leave",
    LogDelete = "log_delete",
    LogInsert = "log_insert",
    NextDue = "next_due",
    NextSlot = "next_slot",
    ParentState = "parent_state",
    ParentsOf = "parents_of",
    Place = "place",
    Poll = "poll",
    ProgressDelete = "progress_delete",
    ProgressPut = "progress_put",
    Promote = "promote",
    Prune = "prune",
    PruneServers = "prune_servers",
    QueuePause = "queue_pause",
    QueueResume = "queue_resume",
    ReadyDelete = "ready_delete",
    ReadyInsert = "ready_insert",
    ResultDelete = "result_delete",
    ResultInsert = "result_insert",
    RunningInsert = "running_insert",
    RunningInsertSet = "running_insert_set",
    Savepoint = "savepoint",
    SavepointRelease = "savepoint_release",
    SavepointUndo = "savepoint_undo",
    ScheduleDelete = "schedule_delete",
    ScheduleDirect = "schedule_direct",
    ScheduleFired = "schedule_fired",
    ScheduleGet = "schedule_get",
    SchedulePut = "schedule_put",
    ScheduledDelete = "scheduled_delete",
    ScheduledInsert = "scheduled_insert",
    SchedulesDue = "schedules_due",
    SchedulesList = "schedules_list",
    ServerOrder = "server_order",
    ServerOrdered = "server_ordered",
    SettledBefore = "settled_before",
    SlotInsert = "slot_insert",
    SlotUnended = "slot_unended",
    SlotsDelete = "slots_delete",
    SlotsList = "slots_list",
    SlotsTrim = "slots_trim",
    TagDelete = "tag_delete",
    TagInsert = "tag_insert",
    TalliesOld = "tallies_old",
    TallyAdd = "tally_add",
    TallyDelete = "tally_delete",
    UniqueFree = "unique_free",
    UniqueHolder = "unique_holder",
    UniqueTake = "unique_take",
}

/// How many rows the statements write whose names end in `set`. Beyond sixteen there is nothing to gain.
pub(crate) const SET_ROWS: usize = 16;

/// All statements of one database.
#[derive(Debug)]
pub(crate) struct Statements(Vec<Box<str>>);

impl Statements {
    /// The statements with this prefix, which must have been checked.
    pub(crate) fn with_prefix(prefix: &str) -> Self {
        Self(TEXTS.iter().map(|text| put_prefix(strip_header(text), prefix)).collect())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn text(&self, op: Op) -> &str {
        &self.0[op as usize]
    }
}

/// Puts the prefix of a database into SQL written with the default one.
pub(crate) fn put_prefix(sql: &str, prefix: &str) -> Box<str> {
    sql.replace(DEFAULT_PREFIX, prefix).into()
}

/// Without the comment lines, which SQLite would read again and again.
fn strip_header(text: &str) -> &str {
    text.trim_start().split_once('\n').filter(|_| text.starts_with("--")).map_or(text, |(_, sql)| sql)
}

/// Refuses a prefix that is not a plain name.
pub(crate) fn check_prefix(prefix: &str) -> Result<()> {
    let mut chars = prefix.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let rest = chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    let reserved = prefix.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"));
    if first && rest && prefix.len() <= 41 && !reserved {
        return Ok(());
    }
    Err(Error::misuse(format!(
        "`{}` cannot be a table prefix; use a letter or `_`, then up to 40 letters, digits or `_` \
         (`sqlite_` belongs to SQLite)",
        prefix.escape_default()
    )))
}

#[cfg(test)]
mod tests {
    use super::check_prefix;

    #[test]
    fn a_prefix_is_a_plain_name_that_sqlite_accepts() {
        for good in ["a", "_", "Hangfire_", "sqlite", "mysqlite_", &"p".repeat(41)] {
            check_prefix(good).unwrap();
        }
        for bad in ["", "1a", "a-b", "a b", "a\"", "a;--", "é", "sqlite_", "SQLite_jobs", &"p".repeat(42)] {
            assert!(check_prefix(bad).unwrap_err().is_misuse(), "{bad}");
        }
    }
}

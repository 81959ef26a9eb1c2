//! The statements, by operation: `sql/<operation>.sql` with the prefix of this database put in.
//!
//! SQL is only ever made from these files and checked names, never from input: a value takes the place of a `?` as
//! a literal in which nothing can be read as SQL (see `rows.rs`).

use std::borrow::Cow;
use std::time::Duration;

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
    AttemptLast = "attempt_last",
    AuditAbout = "audit_about",
    AuditInsert = "audit_insert",
    AuditList = "audit_list",
    AuditPrune = "audit_prune",
    AwaitingCount = "awaiting_count",
    AwaitingDelete = "awaiting_delete",
    AwaitingHold = "awaiting_hold",
    AwaitingInsert = "awaiting_insert",
    AwaitingLock = "awaiting_lock",
    BackToMark = "back_to_mark",
    Beat = "beat",
    BellHeard = "bell_heard",
    BellRing = "bell_ring",
    CancelFlags = "cancel_flags",
    CancelRequest = "cancel_request",
    CancelledPlace = "cancelled_place",
    ChildrenHeld = "children_held",
    ChildrenOf = "children_of",
    Claim = "claim",
    ClaimBehind = "claim_behind",
    ClaimClose = "claim_close",
    ClaimOpen = "claim_open",
    ClaimPermit = "claim_permit",
    Claimed = "claimed",
    ClosedDelete = "closed_delete",
    ClosedInsert = "closed_insert",
    DependencyDecide = "dependency_decide",
    DependencyDelete = "dependency_delete",
    DependencyInsert = "dependency_insert",
    DueHold = "due_hold",
    Ending = "ending",
    EndingHeld = "ending_held",
    Expired = "expired",
    FaultJoin = "fault_join",
    FaultsForget = "faults_forget",
    FaultsOld = "faults_old",
    FinishedDelete = "finished_delete",
    FinishedHold = "finished_hold",
    FinishedInsert = "finished_insert",
    JobAgain = "job_again",
    JobCounts = "job_counts",
    JobDelete = "job_delete",
    JobDue = "job_due",
    JobInsert = "job_insert",
    JobRelocate = "job_relocate",
    JobReset = "job_reset",
    Known = "known",
    Leave = "leave",
    LogDelete = "log_delete",
    LogInsert = "log_insert",
    LogLast = "log_last",
    Mark = "mark",
    MarkRelease = "mark_release",
    NextDue = "next_due",
    Now = "now",
    ParentsFind = "parents_find",
    ParentsFindNow = "parents_find_now",
    Place = "place",
    Poll = "poll",
    ProgressDelete = "progress_delete",
    ProgressPut = "progress_put",
    Promote = "promote",
    Promoted = "promoted",
    PruneHold = "prune_hold",
    PruneLook = "prune_look",
    PruneServers = "prune_servers",
    QueuePause = "queue_pause",
    QueueResume = "queue_resume",
    QueuesLock = "queues_lock",
    ReadyDelete = "ready_delete",
    ReadyEnter = "ready_enter",
    ReadyHold = "ready_hold",
    ReadyInsert = "ready_insert",
    ReadyPlace = "ready_place",
    ResultDelete = "result_delete",
    ResultGet = "result_get",
    ResultHold = "result_hold",
    ResultInsert = "result_insert",
    RunningDelete = "running_delete",
    RunningHeld = "running_held",
    RunningHold = "running_hold",
    RunningInsert = "running_insert",
    RunningRescued = "running_rescued",
    ScheduleDelete = "schedule_delete",
    ScheduleDirect = "schedule_direct",
    ScheduleFired = "schedule_fired",
    ScheduleInsert = "schedule_insert",
    ScheduleReplace = "schedule_replace",
    ScheduledDelete = "scheduled_delete",
    ScheduledEnter = "scheduled_enter",
    ScheduledHold = "scheduled_hold",
    ScheduledInsert = "scheduled_insert",
    ScheduledPlace = "scheduled_place",
    SchedulesDue = "schedules_due",
    SchedulesGet = "schedules_get",
    SchedulesHold = "schedules_hold",
    SchedulesList = "schedules_list",
    ServerInsert = "server_insert",
    ServerOrder = "server_order",
    ServerOrdered = "server_ordered",
    ServersAlive = "servers_alive",
    ServersDead = "servers_dead",
    ServersLock = "servers_lock",
    SettledBefore = "settled_before",
    SlotInsert = "slot_insert",
    SlotsDelete = "slots_delete",
    SlotsKnown = "slots_known",
    SlotsList = "slots_list",
    SlotsTrim = "slots_trim",
    SucceededBy = "succeeded_by",
    TagDelete = "tag_delete",
    TagInsert = "tag_insert",
    TalliesOld = "tallies_old",
    TalliesSharded = "tallies_sharded",
    TallyAdd = "tally_add",
    TallyDelete = "tally_delete",
    UniqueFree = "unique_free",
    UniqueHolder = "unique_holder",
    UniqueTake = "unique_take",
}

/// How a statement ends that only reads, on its own: it reads from no table but in its parts, so it holds nothing, and
/// proxies that tell readers from writers send it to who is written to, as they do with transactions.
pub(crate) const TO_PRIMARY: &str = "FROM DUAL FOR UPDATE";

/// Where the tables are: the prefix of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) prefix: Box<str>,
}

impl Names {
    /// Puts the names of a database into SQL written with the default ones.
    pub(crate) fn put(&self, sql: &str) -> Box<str> {
        sql.replace(DEFAULT_PREFIX, &self.prefix).into()
    }

    /// What this set of tables is called where one word is needed.
    pub(crate) fn word(&self) -> &str {
        &self.prefix
    }
}

/// All statements of one database.
#[derive(Debug)]
pub(crate) struct Statements {
    texts: Vec<Box<str>>,
    /// How long the database may work on one that only reads.
    look_timeout: Option<Duration>,
}

impl Statements {
    /// The statements with these names, which must have been checked.
    pub(crate) fn with_names(names: &Names) -> Self {
        let texts = TEXTS.iter().map(|text| names.put(strip_header(text).trim_end())).collect();
        Self { texts, look_timeout: None }
    }

    /// The same, of which the database ends those that only read after this time.
    pub(crate) fn limited(&self, look_timeout: Option<Duration>) -> Self {
        let mut limited = Self { texts: Vec::new(), look_timeout };
        limited.texts = self.texts.iter().map(|text| (*limited.look(text)).into()).collect();
        limited
    }

    pub(crate) fn text(&self, op: Op) -> &str {
        &self.texts[op as usize]
    }

    /// A statement with its limit, if it has one: MariaDB reads it in the comment, MySQL in the hint.
    pub(crate) fn look<'s>(&self, sql: &'s str) -> Cow<'s, str> {
        let rows = sql.strip_suffix(TO_PRIMARY).unwrap_or(sql);
        let holds = rows.contains("FOR UPDATE") || rows.contains("LOCK IN SHARE MODE");
        match (self.look_timeout, sql.strip_prefix("SELECT ")) {
            (Some(limit), Some(rest)) if !holds => {
                let (seconds, millis) = (limit.as_secs_f64(), limit.as_millis());
                let mariadb = format!("/*M!100100 SET STATEMENT max_statement_time = {seconds:.3} FOR */");
                format!("{mariadb} SELECT /*+ MAX_EXECUTION_TIME({millis}) */ {rest}").into()
            }
            _ => sql.into(),
        }
    }
}

/// Without the comment lines at the head, which need not travel.
fn strip_header(text: &str) -> &str {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('\n').filter(|_| rest.starts_with("--")) {
        rest = after;
    }
    rest
}

/// Longest prefix: the database allows names of 64 characters, and our longest table ends in 12.
const NAME_MAX: usize = 40;

/// Refuses a prefix that is not a plain name.
pub(crate) fn check_prefix(prefix: &str) -> Result<()> {
    let mut chars = prefix.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let rest = chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if first && rest && prefix.len() <= NAME_MAX {
        return Ok(());
    }
    Err(Error::misuse(format!(
        "`{}` cannot be a table prefix; use a letter or `_`, then up to 39 letters, digits or `_`",
        prefix.escape_default()
    )))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Names, Op, Statements, TEXTS, TO_PRIMARY, check_prefix, strip_header};

    #[test]
    fn a_prefix_is_a_plain_name() {
        for good in ["a", "_", "Hangfire_", "portfire_", &"p".repeat(40)] {
            check_prefix(good).unwrap();
        }
        for bad in ["", "1a", "a-b", "a b", "a`", "a;--", "é", &"p".repeat(41)] {
            assert!(check_prefix(bad).unwrap_err().is_misuse(), "{bad}");
        }
    }

    #[test]
    fn only_what_only_reads_is_limited() {
        let statements = Statements::with_names(&Names { prefix: "portfire_".into() });
        let limited = statements.limited(Some(Duration::from_millis(1_500)));
        assert_eq!(
            limited.look("SELECT 1"),
            "/*M!100100 SET STATEMENT max_statement_time = 1.500 FOR */ SELECT /*+ MAX_EXECUTION_TIME(1500) */ 1"
        );
        assert_eq!(limited.text(Op::Known).matches("1500").count(), 1);
        for op in [Op::RunningHeld, Op::RunningHold, Op::RunningInsert] {
            assert_eq!(limited.text(op), statements.text(op));
        }
        assert_eq!(statements.look("SELECT 1"), "SELECT 1");
    }

    /// It is no part of a transaction, by which proxies would know it.
    #[test]
    fn what_reads_on_its_own_goes_to_who_is_written_to() {
        let statements = Statements::with_names(&Names { prefix: "portfire_".into() });
        let limited = statements.limited(Some(Duration::from_millis(1_500)));
        for op in [Op::Poll, Op::PruneLook, Op::Now, Op::BellHeard, Op::BellRing] {
            assert!(statements.text(op).ends_with(TO_PRIMARY), "{op:?}");
            assert!(limited.text(op).contains("MAX_EXECUTION_TIME(1500)"), "{op:?} holds nothing");
        }
    }

    #[test]
    fn names_are_put_into_every_place() {
        let names = Names { prefix: "Hangfire_".into() };
        let sql = "-- One.\n-- Two.\nSELECT portfire_job.id FROM portfire_job";
        assert_eq!(&*names.put(strip_header(sql)), "SELECT Hangfire_job.id FROM Hangfire_job");
    }

    /// Several travel together, divided by semicolons, and every `?` is a value.
    #[test]
    fn a_file_is_one_statement_without_quoted_marks() {
        for text in TEXTS {
            let sql = strip_header(text);
            assert!(!sql.contains(';') && !sql.contains("--"), "{sql}");
            assert!(sql.split('\'').skip(1).step_by(2).all(|quoted| !quoted.contains('?')), "{sql}");
        }
    }
}

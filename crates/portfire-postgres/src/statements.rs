//! The statements, by operation: `sql/<operation>.sql` with the schema and prefix of this database put in.
//!
//! SQL is only ever made from these files and checked names, never from input.

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
    AuditAbout = "audit_about",
    AuditInsert = "audit_insert",
    AuditList = "audit_list",
    AuditPrune = "audit_prune",
    AwaitingDelete = "awaiting_delete",
    AwaitingLock = "awaiting_lock",
    Beat = "beat",
    Cancel = "cancel",
    CancelFlags = "cancel_flags",
    CancelRequest = "cancel_request",
    Claim = "claim",
    ClaimAgain = "claim_again",
    DependencyInsert = "dependency_insert",
    Expired = "expired",
    FaultsForget = "faults_forget",
    FinishedDelete = "finished_delete",
    Insert = "insert",
    InsertAlike = "insert_alike",
    InsertOne = "insert_one",
    InsertPlain = "insert_plain",
    JobDelete = "job_delete",
    JobMove = "job_move",
    JobRelocate = "job_relocate",
    JobReset = "job_reset",
    Known = "known",
    Leave = "leave",
    LeftForget = "left_forget",
    LeftLock = "left_lock",
    LeftPrune = "left_prune",
    LogInsert = "log_insert",
    Now = "now",
    ParentState = "parent_state",
    ParentsLock = "parents_lock",
    Place = "place",
    Poll = "poll",
    ProgressPut = "progress_put",
    Promote = "promote",
    Prune = "prune",
    PruneServers = "prune_servers",
    QueuePause = "queue_pause",
    QueueResume = "queue_resume",
    ReadyDelete = "ready_delete",
    ScheduleDelete = "schedule_delete",
    ScheduleDirect = "schedule_direct",
    ScheduledDelete = "scheduled_delete",
    ScheduleFired = "schedule_fired",
    SchedulePut = "schedule_put",
    SchedulesDue = "schedules_due",
    SchedulesGet = "schedules_get",
    SchedulesList = "schedules_list",
    SchedulesLock = "schedules_lock",
    ServerOrder = "server_order",
    ServersLock = "servers_lock",
    Settle = "settle",
    SettleIn = "settle_in",
    Settled = "settled",
    SlotInsert = "slot_insert",
    SlotsList = "slots_list",
    Succeed = "succeed",
    TalliesFold = "tallies_fold",
    TalliesMerge = "tallies_merge",
    TellChildren = "tell_children",
    UniqueFree = "unique_free",
    UniqueHolder = "unique_holder",
    UniqueTake = "unique_take",
}

impl Op {
    /// Whether it is prepared in each session: what runs all day, and whose plan leaves nothing to choose, because it
    /// only calls a function or only stores. What reads tables is planned each time, for a plan that was kept since they
    /// were empty would read them as a whole; of that, only what runs seldom is not in a function.
    pub(crate) const fn is_kept(self) -> bool {
        matches!(
            self,
            Self::Insert
                | Self::InsertAlike
                | Self::InsertOne
                | Self::InsertPlain
                | Self::Claim
                | Self::Poll
                | Self::Succeed
                | Self::Settle
                | Self::Settled
        )
    }
}

/// Where the tables are: a schema, if one was chosen, and the prefix of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) schema: Option<Box<str>>,
    pub(crate) prefix: Box<str>,
}

impl Names {
    /// Puts the names of a database into SQL written with the default ones.
    pub(crate) fn put(&self, sql: &str) -> Box<str> {
        let full =
            self.schema.as_ref().map_or_else(String::new, |schema| format!("{schema}.")) + &self.prefix;
        sql.replace(DEFAULT_PREFIX, &full).into()
    }

    /// What this set of tables is called where one word is needed.
    pub(crate) fn word(&self) -> String {
        let schema = self.schema.as_deref().unwrap_or_default();
        format!("{schema}.{}", self.prefix).to_ascii_lowercase()
    }
}

/// All statements of one database.
#[derive(Debug)]
pub(crate) struct Statements(Vec<Box<str>>);

impl Statements {
    /// The statements with these names, which must have been checked.
    pub(crate) fn with_names(names: &Names) -> Self {
        Self(TEXTS.iter().map(|text| names.put(strip_header(text))).collect())
    }

    pub(crate) fn text(&self, op: Op) -> &str {
        &self.0[op as usize]
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

/// Longest schema or prefix: PostgreSQL cuts names at 63 bytes, and our longest ends in 22.
const NAME_MAX: usize = 40;

/// Refuses a schema or prefix that is not a plain name. PostgreSQL reads it in lower case.
pub(crate) fn check_name(what: &str, name: &str) -> Result<()> {
    let mut chars = name.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let rest = chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    let reserved = name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("pg_"));
    if first && rest && name.len() <= NAME_MAX && !reserved {
        return Ok(());
    }
    Err(Error::misuse(format!(
        "`{}` cannot be a {what}; use a letter or `_`, then up to 39 letters, digits or `_` (`pg_` belongs to \
         PostgreSQL)",
        name.escape_default()
    )))
}

#[cfg(test)]
mod tests {
    use super::{Names, check_name, strip_header};

    #[test]
    fn a_prefix_is_a_plain_name_that_postgres_accepts() {
        for good in ["a", "_", "Hangfire_", "portfire_", &"p".repeat(40)] {
            check_name("prefix", good).unwrap();
        }
        for bad in ["", "1a", "a-b", "a b", "a\"", "a;--", "é", "pg_jobs", "PG_jobs", &"p".repeat(41)] {
            assert!(check_name("prefix", bad).unwrap_err().is_misuse(), "{bad}");
        }
    }

    #[test]
    fn names_are_put_into_every_place() {
        let names =
            |schema: Option<&str>| Names { schema: schema.map(Into::into), prefix: "Hangfire_".into() };
        let sql = "-- One.\n-- Two.\nSELECT portfire_now($1) FROM portfire_job";
        assert_eq!(&*names(None).put(strip_header(sql)), "SELECT Hangfire_now($1) FROM Hangfire_job");
        assert_eq!(&*names(Some("s")).put("portfire_job"), "s.Hangfire_job");
    }
}

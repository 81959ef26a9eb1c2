//! Every bound in the system, named with its unit. A limit is checked once, at the door.

use std::time::Duration;

/// Longest arguments of one job, in bytes of JSON.
///
/// Larger data belongs in a file or table of its own, with its id as the argument: a payload is read
/// at every claim and kept with the job's history.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// Longest result of one job, in bytes of JSON.
pub const RESULT_BYTES_MAX: usize = 1 << 20;
/// Longest error text kept with an attempt, in bytes; the rest is cut.
pub const FAULT_BYTES_MAX: usize = 64 << 10;
/// Longest part of an error that a list shows, in bytes: the first line, cut.
pub const FAULT_LINE_BYTES_MAX: usize = 300;
/// Longest kind, queue, tag or unique name, in bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// Most tags on one job.
pub const TAGS_MAX: usize = 32;
/// Longest reason that a person gives, in bytes; the rest is cut.
pub const REASON_BYTES_MAX: usize = 1 << 10;
/// How long the audit keeps what persons did: a quarter of a year, which is how far back reviews look.
pub const AUDIT_KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// Most parents of one job.
pub const PARENTS_MAX: usize = 100;
/// Longest kept log line, in bytes; the rest is cut.
pub const LOG_LINE_BYTES_MAX: usize = 4 << 10;
/// Most log lines kept of one attempt; the first beyond them says that no more are kept.
pub const LOG_LINES_MAX: u32 = 10_000;
/// Most log lines of one job in one answer, its last: what a person reads.
pub const LOG_SHOWN: u32 = 500;
/// Most attempts of one job in one answer, its last: each may have a long error.
pub const ATTEMPTS_SHOWN: u32 = 50;
/// Most children of one job in one answer.
pub const CHILDREN_SHOWN: u32 = 100;
/// Longest cron expression, in bytes: room for six fields with long lists.
pub const CRON_BYTES_MAX: usize = 256;
/// Most parts of a list in a cron expression: all values of the largest field, and a few.
pub const CRON_PARTS_MAX: usize = 64;
/// Most jobs that one late look at a schedule makes at once: [`Misfire::All`](crate::Misfire::All) allows
/// no more, so a long outage cannot flood a queue.
pub const CATCH_UP_MAX: u16 = 1_000;
/// Most slots kept in the history of a schedule: more than a day of a quarter-hourly one.
pub const SLOTS_KEPT: u32 = 100;
/// Most due schedules planned from one look.
pub const SCHEDULES_MAX: u32 = 100;
/// Most jobs on one page of a list.
pub const PAGE_MAX: u32 = 200;
/// Most jobs a server claims in one exchange, if it has slots for so many: with 1,024 slots a drain is a tenth faster by
/// 512 than by 256, on PostgreSQL and SQLite, and no faster by 1,024; and a claim stays within some milliseconds.
pub const CLAIM_MAX: u32 = 512;
/// Crashes after which a job is quarantined: once may be a deploy, twice a coincidence, three is the job.
pub const CRASHES_MAX: u16 = 3;
/// How long a server's lease lasts after a heartbeat, unless configured.
pub const LEASE: Duration = Duration::from_secs(30);
/// How long a dead server is remembered: twice what a storage call may take. A server that was only deaf finds itself
/// again, and with it the number of the last claim that it gave up: such a claim, if it comes late, takes nothing.
pub const SERVERS_KEPT: Duration = Duration::from_secs(60);
/// Most rows that one page of a filtered list looks at: some tens of milliseconds on every database.
pub const WALK_MAX: u32 = 20_000;
/// Where counts for people stop: this number means "more than 10,000".
pub const COUNT_MAX: u64 = 10_001;
/// Where the count of one group of failures stops, of which a page shows many: this means "more than 1,000".
/// With [`COUNT_MAX`] a page of large groups took 0.4 s on ten million jobs.
pub const GROUP_COUNT_MAX: u64 = 1_001;
/// How long tallies of single minutes are kept: a day and what a page that shows one needs around it.
pub const MINUTES_KEPT: Duration = Duration::from_secs(26 * 3_600);
/// How long tallies of single hours are kept: the longest month, and a day.
pub const HOURS_KEPT: Duration = Duration::from_secs(32 * 86_400);
/// How long tallies of single days are kept: a year to compare with, and a month.
pub const DAYS_KEPT: Duration = Duration::from_secs(400 * 86_400);
/// Most tallies in one answer: a day of minutes for six kinds.
pub const TALLIES_MAX: u32 = 10_000;
/// Most rows of tallies that one pruning folds into wider ones: some 50 ms.
pub const FOLD_MAX: u32 = 10_000;
/// How long a group of failures is kept after the last of them, once no job of it is.
pub const FAULT_GROUPS_KEPT: Duration = Duration::from_secs(30 * 86_400);

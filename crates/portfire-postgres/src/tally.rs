//! What was counted grows old: it is merged, folded and dropped. The counting itself is part of the
//! statements that do what is counted.
//!
//! 1. Each session counts in rows of its own, so that nobody waits for a row of the present minute. Minutes
//!    that are over are merged.
//! 2. Old rows are folded into wider ones, as [`folds`] says.
//! 3. Groups of failures that are long over are forgotten.
//!
//! Each is one statement and a transaction of its own, so that what it locks is free again at once.

use std::time::Duration;

use portfire_core::limits::{FAULT_GROUPS_KEPT, FOLD_MAX};
use portfire_core::storage::Width;
use portfire_core::storage::tally::{Fold, folds};
use portfire_core::{Result, Timestamp};

use crate::pool::Lane;
use crate::rows::Value;
use crate::statements::Op;

/// When nobody counts in a minute any more, but for transactions that are very long; those are merged later.
const OVER_AFTER: Duration = Duration::from_secs(120);

/// Merges, folds and forgets.
pub(crate) async fn tidy(lane: &Lane, now: Option<i64>) -> Result<()> {
    let rows = lane.rows(Op::Now, &[Value::Int(now)]).await?;
    let now = rows.first().map_or(Ok(Timestamp::default()), |row| row.time(0))?;
    let most = || Value::Int(Some(FOLD_MAX.into()));
    let instant = |at: Timestamp| Value::Int(Some(at.as_micros()));
    let over = Width::Minute.begin(now.before(OVER_AFTER));
    lane.rows(Op::TalliesMerge, &[instant(over), most()]).await?;
    for Fold { of, before, into } in folds(now) {
        let (of, into) =
            (Value::Int(Some(of.seconds().into())), Value::Int(into.map(|into| into.seconds().into())));
        lane.rows(Op::TalliesFold, &[of, instant(before), into, most()]).await?;
    }
    lane.rows(Op::FaultsForget, &[instant(now.before(FAULT_GROUPS_KEPT))]).await.map(drop)
}

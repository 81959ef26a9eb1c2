//! The claim of a server by itself: as its engine asks the storage for work, without the engine.

use std::sync::Arc;
use std::time::Duration;

use portfire::{Jobs, Outcome, ServerId, Storage, Token};
use portfire_core::storage::{Beat, Exchange, ServerInfo, Want, WantQueue};
use portfire_core::{Dice, settle};

use super::portfire::Letter;
use crate::contestant::Fallible;
use crate::database::Ground;
use crate::meter::Meter;
use crate::stopwatch;
use crate::workload::CLAIM;

/// Longer than any heat.
const LEASE: Duration = Duration::from_secs(60 * 60);
/// Who claims.
const SERVER: ServerId = ServerId::from_bytes([9; 16]);

/// Stores a hundred jobs and claims the hundred that are first, beside so many that are ready.
pub(super) async fn claim(
    jobs: &Jobs,
    ground: &dyn Ground,
    ready: u32,
    claims: u32,
    meter: &mut Meter,
) -> Fallible<()> {
    let storage = jobs.storage();
    storage.beat(Beat { server: SERVER, lease: LEASE, info: ServerInfo::default() }).await?;
    meter.start(ground).await?;
    for number in 0..claims {
        let first = ready + number * CLAIM;
        jobs.enqueue_many((first..first + CLAIM).map(Letter::new)).await?;
        let sent = stopwatch::now();
        let claimed = storage.exchange(exchange(number)).await?.claimed;
        meter.waited(sent.elapsed());
        if claimed.len() != CLAIM as usize {
            return Err(format!("{} jobs were claimed, not {CLAIM}", claimed.len()).into());
        }
        settle_all(&**storage, claimed.into_iter().map(|job| job.facts)).await?;
    }
    meter.stop(ground).await
}

fn exchange(number: u32) -> Exchange {
    let want = Want {
        // A server that has claimed nothing has given up the claim of token 0, and all before it.
        token: Token::from_bytes(u128::from(number + 1).to_be_bytes()),
        limit: CLAIM,
        queues: vec![WantQueue { name: "default".into(), limit: CLAIM }],
        kinds: Arc::new(["mail".into()]),
    };
    Exchange { server: SERVER, notes: Vec::new(), settlements: Vec::new(), want: Some(want) }
}

async fn settle_all(storage: &dyn Storage, held: impl Iterator<Item = portfire_core::Facts>) -> Fallible<()> {
    let mut dice = Dice::from_seed([1, 2]);
    let settlements = held.map(|facts| settle(&facts, Outcome::Succeeded(None), &mut dice)).collect();
    storage.exchange(Exchange { server: SERVER, notes: Vec::new(), settlements, want: None }).await?;
    Ok(())
}

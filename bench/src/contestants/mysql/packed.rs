//! The bare statements on MariaDB and MySQL in the packed form: a claim is one row, and so is what became of it.
//!
//! 1. The producer, the server and the expander have a connection each, and work at once.
//! 2. The server moves whole claims: it settles one and claims the next in one transaction and two round trips.
//! 3. The expander makes rows of a thousand jobs at a time: it reads what is packed, and writes it as rows.
//!
//! Rows hold what `portfire_running` and `portfire_finished` hold of each job, one behind the other as bytes; what is
//! the same for all of a claim stands there once. A claim ends as a whole, which is the best that can happen to it.

use futures_util::future::try_join3;
use mysql_async::prelude::Queryable;
use portfire_mysql::{MysqlOptions, MysqlStorage};
use tokio::sync::watch;

use super::super::packed::{EXPANDED, Form};
use super::bare::{KEPT, PRELOAD, Session, hex, keys, now};
use super::{Mysql, connect};
use crate::contestant::{Contestant, Doing, Fallible, Place};
use crate::database::Database;
use crate::meter::{Meter, micros};
use crate::workload::Workload;

const CLAIM: &str = "CREATE TABLE packed_claim (
    token BINARY(16) NOT NULL PRIMARY KEY, server BINARY(16) NOT NULL, started_at BIGINT NOT NULL,
    ids MEDIUMBLOB NOT NULL, attempts MEDIUMBLOB NOT NULL
) ENGINE = InnoDB";
const FINISHED: &str = "CREATE TABLE packed_finished (
    seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, finished_at BIGINT NOT NULL, started_at BIGINT,
    token BINARY(16), prune_at BIGINT, ids MEDIUMBLOB NOT NULL
) ENGINE = InnoDB";

/// The bytes of an id.
const ID: usize = 16;

/// The statements of the packed form.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(in super::super) database: Mysql,
    pub(in super::super) form: Form,
}

impl Contestant for Packed {
    fn name(&self) -> String {
        self.form.name()
    }

    fn database(&self) -> &dyn Database {
        &self.database
    }

    fn promises(&self) -> String {
        self.form.promises(self.database.promise())
    }

    fn takes(&self, workload: Workload) -> bool {
        Form::takes(workload)
    }

    fn run<'a>(&'a self, workload: Workload, place: Place<'a>, meter: &'a mut Meter) -> Doing<'a> {
        Box::pin(async move {
            let url = place.ground.url();
            drop(MysqlStorage::open(MysqlOptions::new(&url)?).await?);
            let mut connection = connect(&url).await?;
            connection.query_drop(CLAIM).await?;
            connection.query_drop(FINISHED).await?;
            let mut producer = Session::open(&url).await?;
            if let Workload::Drain { jobs, .. } = workload {
                producer.store(PRELOAD, 0..jobs).await?;
            }
            let (mut server, mut expander) = (Session::open(&url).await?, Session::open(&url).await?);
            meter.start(place.ground).await?;
            self.work(workload, &mut producer, &mut server, &mut expander).await?;
            meter.stop(place.ground).await
        })
    }
}

impl Packed {
    /// Who is not needed has a connection, and nothing to do.
    async fn work(
        &self,
        workload: Workload,
        producer: &mut Session,
        server: &mut Session,
        expander: &mut Session,
    ) -> Fallible<()> {
        let (jobs, Form { batch, is_expanded }) = (workload.jobs(), self.form);
        let ((bell, stored), (end, ended)) = (watch::channel(0), watch::channel(0));
        let store = async {
            if let Workload::Lifecycle { batch, .. } = workload {
                return producer.store_and_ring(batch, jobs, &bell).await;
            }
            bell.send_replace(jobs);
            Ok(())
        };
        let expand = async {
            if is_expanded { expand(expander, self.form.rows(), jobs, ended).await } else { Ok(()) }
        };
        try_join3(store, drain(server, batch, jobs, stored, &end), expand).await.map(drop)
    }
}

/// A claim: its token, when it was made, and the keys of its jobs in `ready`.
#[derive(Default)]
struct Held {
    token: u128,
    started_at: i64,
    heads: Vec<(i64, u128)>,
}

/// Settles a claim and makes the next, until so many jobs are done; waits for those that are not stored yet.
async fn drain(
    session: &mut Session,
    batch: u32,
    jobs: u32,
    mut stored: watch::Receiver<u32>,
    end: &watch::Sender<u32>,
) -> Fallible<()> {
    let (mut held, mut done) = (Held::default(), 0);
    while done < jobs {
        if held.heads.is_empty() {
            stored.wait_for(|count| *count > done).await?;
        }
        done += u32::try_from(held.heads.len())?;
        held = exchange(session, batch, &held).await?;
        end.send_replace(done);
    }
    Ok(())
}

/// One transaction, two round trips.
async fn exchange(session: &mut Session, batch: u32, held: &Held) -> Fallible<Held> {
    let heads = session.heads(batch, &settlement(held)?).await?;
    let now = now()?;
    let claimed = Held { token: u128::try_from(now)?, started_at: now, heads };
    if claimed.heads.is_empty() {
        session.together("COMMIT".into()).await?;
        return Ok(claimed);
    }
    let (token, ids, keys) = (hex(claimed.token), packed(&claimed.heads), keys(&claimed.heads));
    let (attempts, each) = ("00000001".repeat(claimed.heads.len()), each(&claimed.heads));
    session
        .together(format!(
            "DELETE r FROM portfire_ready AS r FORCE INDEX (PRIMARY) \
             WHERE r.queue = 'default' AND r.priority = 0 AND ({keys}); \
             INSERT INTO packed_claim (token, server, started_at, ids, attempts) \
             VALUES ({token}, {token}, {now}, {ids}, x'{attempts}'); \
             SELECT id, args FROM portfire_job FORCE INDEX (PRIMARY) WHERE id IN ({each}); COMMIT"
        ))
        .await?;
    Ok(claimed)
}

/// The statements that settle a claim; none for none.
fn settlement(held: &Held) -> Fallible<String> {
    if held.heads.is_empty() {
        return Ok(String::new());
    }
    let (now, token, ids) = (now()?, hex(held.token), packed(&held.heads));
    let (started_at, prune_at) = (held.started_at, now + i64::try_from(micros(KEPT))?);
    Ok(format!(
        "; DELETE FROM packed_claim WHERE token = {token}; \
         INSERT INTO packed_finished (finished_at, started_at, token, prune_at, ids) \
         VALUES ({now}, {started_at}, {token}, {prune_at}, {ids})"
    ))
}

/// Expands so many rows whenever as many jobs have ended as that may be, until all are.
async fn expand(
    session: &mut Session,
    rows: u32,
    jobs: u32,
    mut ended: watch::Receiver<u32>,
) -> Fallible<()> {
    let mut expanded = 0;
    while expanded < jobs {
        ended.wait_for(|count| *count >= jobs.min(expanded + EXPANDED)).await?;
        expanded += expand_first(session, rows).await?;
    }
    Ok(())
}

/// What finished together, as it is packed: its number, when it finished and began, its token, until when it is kept,
/// and its ids.
type Finished = (i64, i64, i64, Vec<u8>, i64, Vec<u8>);

/// One transaction, two round trips: how many jobs have a row now.
async fn expand_first(session: &mut Session, rows: u32) -> Fallible<u32> {
    let sql = format!(
        "START TRANSACTION; SELECT seq, finished_at, started_at, token, prune_at, ids FROM packed_finished \
         ORDER BY seq LIMIT {rows} FOR UPDATE"
    );
    let taken: Vec<Finished> = session.last_rows(sql).await?;
    let finished = taken.iter().map(expansion).collect::<Fallible<Vec<_>>>()?.concat();
    let numbers: Vec<_> = taken.iter().map(|row| row.0.to_string()).collect();
    if finished.is_empty() {
        session.together("COMMIT".into()).await?;
        return Ok(0);
    }
    session
        .together(format!(
            "DELETE FROM packed_finished WHERE seq IN ({}); \
             INSERT INTO portfire_finished (id, state, finished_at, started_at, token, server, prune_at) \
             VALUES {}; COMMIT",
            numbers.join(", "),
            finished.join(", ")
        ))
        .await?;
    Ok(u32::try_from(finished.len())?)
}

/// The rows of the jobs in one.
fn expansion((_, finished_at, started_at, token, prune_at, ids): &Finished) -> Fallible<Vec<String>> {
    let token = hex(number(token)?);
    let row = |id: &[u8]| {
        let id = hex(number(id)?);
        Ok(format!("({id}, 'succeeded', {finished_at}, {started_at}, {token}, {token}, {prune_at})"))
    };
    ids.chunks(ID).map(row).collect()
}

/// The ids, one behind the other.
fn packed(heads: &[(i64, u128)]) -> String {
    let ids: Vec<_> = heads.iter().map(|(_, id)| format!("{id:032x}")).collect();
    format!("x'{}'", ids.concat())
}

/// The ids as a list.
fn each(heads: &[(i64, u128)]) -> String {
    heads.iter().map(|(_, id)| hex(*id)).collect::<Vec<_>>().join(", ")
}

fn number(bytes: &[u8]) -> Fallible<u128> {
    Ok(u128::from_be_bytes(bytes.try_into()?))
}

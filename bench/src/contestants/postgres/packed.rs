//! The bare statements on PostgreSQL in the packed form: a claim is one row, and so is what became of it.
//!
//! 1. The producer, the server and the expander have a connection each, and work at once.
//! 2. The server moves whole claims: it settles one and claims the next in one transaction and one round trip.
//! 3. The expander makes rows of a thousand jobs at a time, in one statement.
//!
//! Rows hold what `portfire_running` and `portfire_finished` hold of each job, as arrays; what is the same for all of a
//! claim stands there once. A claim ends as a whole, which is the best that can happen to it.

use futures_util::future::try_join3;
use portfire_postgres::tokio_postgres::{Client, Config, Statement};
use portfire_postgres::{PostgresOptions, PostgresStorage};
use tokio::sync::watch;
use uuid::Uuid;

use super::super::packed::{EXPANDED, Form};
use super::bare::{KEPT, PINNED, PRELOAD, Session, in_one_trip, now, read};
use super::{Postgres, connect};
use crate::contestant::{Contestant, Doing, Fallible, Place};
use crate::database::Database;
use crate::meter::{Meter, micros};
use crate::workload::Workload;

// Real ids do not shrink as those of the measuring stick would: they are kept as they are.
const TABLES: &str = "CREATE TABLE packed_claim (
    token uuid NOT NULL PRIMARY KEY, server uuid NOT NULL, started_at bigint NOT NULL,
    ids uuid[] NOT NULL, attempts integer[] NOT NULL, kinds text[] COLLATE \"C\" NOT NULL,
    queues text[] COLLATE \"C\" NOT NULL, run_ats bigint[] NOT NULL, uniques boolean[] NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE TABLE packed_finished (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, state text COLLATE \"C\" NOT NULL,
    finished_at bigint NOT NULL, started_at bigint, token uuid, server uuid, prune_at bigint,
    ids uuid[] NOT NULL
);
ALTER TABLE packed_claim ALTER COLUMN ids SET STORAGE EXTERNAL;
ALTER TABLE packed_finished ALTER COLUMN ids SET STORAGE EXTERNAL";
const SETTLE: &str = "WITH passed AS (
    DELETE FROM packed_claim WHERE token = $1 RETURNING ids, started_at, server
)
INSERT INTO packed_finished (state, finished_at, started_at, token, server, prune_at, ids)
SELECT 'succeeded', $2, started_at, $1, server, $3, ids FROM passed";
const CLAIM: &str = "WITH picked AS MATERIALIZED (
    SELECT ctid AS spot, id, run_at FROM portfire_ready WHERE queue = 'default'
    ORDER BY priority, run_at, id LIMIT $1 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM portfire_ready WHERE ctid = ANY (ARRAY(SELECT spot FROM picked))
), held AS (
    INSERT INTO packed_claim (token, server, started_at, ids, attempts, kinds, queues, run_ats, uniques)
    SELECT $2, $2, $3, array_agg(id), array_agg(1), array_agg('mail'::text), array_agg('default'::text),
        array_agg(run_at), array_agg(false)
    FROM picked HAVING count(*) > 0
)
SELECT j.id, j.args FROM picked AS p JOIN portfire_job AS j ON j.id = p.id";
const EXPAND: &str = "WITH taken AS (
    DELETE FROM packed_finished WHERE seq = ANY (ARRAY(
        SELECT seq FROM packed_finished ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED))
    RETURNING state, finished_at, started_at, token, server, prune_at, ids
)
INSERT INTO portfire_finished (id, state, finished_at, started_at, token, server, prune_at)
SELECT u.id, t.state, t.finished_at, t.started_at, t.token, t.server, t.prune_at
FROM taken AS t CROSS JOIN unnest(t.ids) AS u(id)";

/// The statements of the packed form.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(in super::super) database: Postgres,
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
            drop(PostgresStorage::open(PostgresOptions::new(&place.ground.url())?).await?);
            let config = place.ground.url().parse()?;
            connect(&config).await?.batch_execute(TABLES).await?;
            if let Workload::Drain { jobs, .. } = workload {
                Session::open(&config).await?.store(PRELOAD, 0..jobs).await?;
            }
            place.ground.alone().await?;
            let (producer, server) = (Session::open(&config).await?, Server::open(&config).await?);
            let expander = Expander::open(&config).await?;
            meter.start(place.ground).await?;
            self.work(workload, &producer, &server, &expander).await?;
            meter.stop(place.ground).await
        })
    }
}

impl Packed {
    /// Who is not needed has a connection, and nothing to do.
    async fn work(
        &self,
        workload: Workload,
        producer: &Session,
        server: &Server,
        expander: &Expander,
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
        let expand =
            async { if is_expanded { expander.expand(self.form.rows(), jobs, ended).await } else { Ok(()) } };
        try_join3(store, server.drain(batch, jobs, stored, &end), expand).await.map(drop)
    }
}

/// The connection that claims and settles.
struct Server {
    client: Client,
    settle: Statement,
    claim: Statement,
}

/// A claim, and how many jobs it has.
#[derive(Default)]
struct Held {
    token: Uuid,
    count: u32,
}

impl Server {
    async fn open(config: &Config) -> Fallible<Self> {
        let client = connect(config).await?;
        client.batch_execute(PINNED).await?;
        let (settle, claim) = (client.prepare(SETTLE).await?, client.prepare(CLAIM).await?);
        Ok(Self { client, settle, claim })
    }

    /// Settles a claim and makes the next, until so many jobs are done; waits for those that are not stored yet.
    async fn drain(
        &self,
        batch: u32,
        jobs: u32,
        mut stored: watch::Receiver<u32>,
        end: &watch::Sender<u32>,
    ) -> Fallible<()> {
        let (mut held, mut done) = (Held::default(), 0);
        while done < jobs {
            if held.count == 0 {
                stored.wait_for(|count| *count > done).await?;
            }
            done += held.count;
            held = self.exchange(batch, &held).await?;
            end.send_replace(done);
        }
        Ok(())
    }

    async fn exchange(&self, batch: u32, held: &Held) -> Fallible<Held> {
        if held.count == 0 {
            return self.claim(batch).await;
        }
        in_one_trip(&self.client, self.settle(held), self.claim(batch)).await
    }

    async fn settle(&self, held: &Held) -> Fallible<()> {
        let now = now()?;
        let prune_at = now + i64::try_from(micros(KEPT))?;
        self.client.execute(&self.settle, &[&held.token, &now, &prune_at]).await?;
        Ok(())
    }

    async fn claim(&self, batch: u32) -> Fallible<Held> {
        let now = now()?;
        let token = Uuid::from_u128(u128::try_from(now)?);
        let rows = self.client.query(&self.claim, &[&i64::from(batch), &token, &now]).await?;
        for row in &rows {
            std::hint::black_box(read(row)?);
        }
        Ok(Held { token, count: u32::try_from(rows.len())? })
    }
}

/// The connection that makes a row of each job again.
struct Expander {
    client: Client,
    expand: Statement,
}

impl Expander {
    async fn open(config: &Config) -> Fallible<Self> {
        let client = connect(config).await?;
        client.batch_execute(PINNED).await?;
        let expand = client.prepare(EXPAND).await?;
        Ok(Self { client, expand })
    }

    /// Expands so many rows whenever as many jobs have ended as that may be, until all are.
    async fn expand(&self, rows: u32, jobs: u32, mut ended: watch::Receiver<u32>) -> Fallible<()> {
        let mut expanded = 0;
        while expanded < jobs {
            ended.wait_for(|count| *count >= jobs.min(expanded + EXPANDED)).await?;
            expanded += u32::try_from(self.client.execute(&self.expand, &[&i64::from(rows)]).await?)?;
        }
        Ok(())
    }
}

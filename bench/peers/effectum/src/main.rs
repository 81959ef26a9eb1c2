//! effectum as the measuring stick runs it: as its README begins, with as many jobs at a time as suit it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use effectum::{Job, JobRunner, Queue, RunningJob, Worker};
use rusqlite::{Connection, OpenFlags};
use track::arrivals::ARRIVED;
use track::payload::Mail;
use track::{Fallible, Peer, Server};

const KIND: &str = "mail";
/// How many jobs run at once; more are fetched when half of them are done.
const CONCURRENCY: u16 = 512;

async fn send(job: RunningJob, (): ()) -> Result<(), effectum::Error> {
    ARRIVED.one_of(job.json_payload::<Mail>()?.number);
    Ok(())
}

/// On a database.
#[derive(Clone)]
struct Effectum {
    queue: Arc<Queue>,
    file: PathBuf,
}

impl Peer for Effectum {
    const NAME: &'static str = "effectum";
    const PACKAGE: &'static str = "effectum";
    const DATABASE: &'static str = "sqlite/full";
    // It asks for `synchronous` NORMAL and, by a pragma of another name, for a write-ahead log, which it does not get.
    const PROMISES: &'static str = "history kept, jobs of a dead process run again when it is started again; commits \
        are flushed into a rollback journal, nearly as safe as FULL (`synchronous` NORMAL, its own choice)";
    const BULK: bool = true;

    async fn open(url: &str) -> Fallible<Self> {
        let file = url.strip_prefix("sqlite://").unwrap_or(url);
        let file: PathBuf = file.split_once('?').map_or(file, |(file, _)| file).into();
        Ok(Self { queue: Arc::new(Queue::new(Path::new(&file)).await?), file })
    }

    async fn store(&self, mail: Mail) -> Fallible<()> {
        Job::builder(KIND).json_payload(&mail)?.add_to(&self.queue).await?;
        Ok(())
    }

    async fn store_all(&self, mails: Vec<Mail>) -> Fallible<()> {
        let jobs = mails.iter().map(|mail| Ok(Job::builder(KIND).json_payload(mail)?.build()));
        let jobs = jobs.collect::<Result<Vec<_>, effectum::Error>>()?;
        self.queue.add_jobs(jobs).await?;
        Ok(())
    }

    async fn serve(&self, _: bool) -> Fallible<Server> {
        let worker = Worker::builder(&self.queue, ())
            .jobs([JobRunner::builder(KIND, send).build()])
            .min_concurrency(CONCURRENCY / 2)
            .max_concurrency(CONCURRENCY);
        Ok(Box::new(worker.build().await?))
    }

    async fn left(&self) -> Fallible<u64> {
        let database = Connection::open_with_flags(&self.file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let left: i64 = database.query_row("SELECT count(*) FROM active_jobs", [], |row| row.get(0))?;
        Ok(left.unsigned_abs())
    }
}

fn main() -> ExitCode {
    track::take_part(&[track::entry::<Effectum>()], include_str!("../Cargo.lock"))
}

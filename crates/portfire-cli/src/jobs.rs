//! Jobs from a terminal: lines of columns between tabs, for people and for other programs.

use clap::{Args, Subcommand};
use portfire_core::storage::{Acted, Action, By, Cursor, Filter, JobSummary, PageRequest, Person, Via};
use portfire_core::{Error, JobId, Result, State, Timestamp};

use crate::{Database, Ended, complain, say};

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List jobs: id, state, kind, queue, attempts, time, and what went wrong.
    List(List),
    /// Show everything known of a job.
    Get {
        #[command(flatten)]
        database: Database,
        /// The job.
        id: JobId,
    },
    /// Run jobs now, those that wait and those that ended.
    Retry(Steer),
    /// Cancel jobs; those that run are asked to stop.
    Cancel(Steer),
}

/// Which jobs to list.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    database: Database,
    /// Only in this state.
    #[arg(long)]
    state: Option<State>,
    /// Only in this queue.
    #[arg(long)]
    queue: Option<Box<str>>,
    /// Only of this kind.
    #[arg(long)]
    kind: Option<Box<str>>,
    /// Only with this tag.
    #[arg(long)]
    tag: Option<Box<str>>,
    /// Most jobs, 1 to 200.
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Where the page before ended, as it said.
    #[arg(long)]
    after: Option<Cursor>,
}

/// Which jobs, and who wants it.
#[derive(Debug, Args)]
pub(crate) struct Steer {
    #[command(flatten)]
    database: Database,
    /// The jobs.
    #[arg(required = true)]
    ids: Vec<JobId>,
    /// Who does this, for the audit log.
    #[arg(long = "as", env = "USER", default_value = "unknown", value_name = "NAME")]
    person: String,
    /// Why, for the audit log.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

pub(crate) async fn run(command: Command) -> Result<Ended> {
    match command {
        Command::List(wanted) => list(wanted).await,
        Command::Get { database, id } => get(&database, id).await,
        Command::Retry(steer) => act(steer, Action::RunNow).await,
        Command::Cancel(steer) => act(steer, Action::Cancel).await,
    }
}

async fn list(wanted: List) -> Result<Ended> {
    let List { database, state, queue, kind, tag, limit, after } = wanted;
    let filter = Filter { state, queue, kind, tag, ..Filter::default() };
    let page = database.open().await?.list(filter, PageRequest { limit, after, before: None }).await?;
    for job in &page.jobs {
        say(&line(job));
    }
    if let Some(next) = page.next {
        complain(&Error::misuse(format!("there are more: add `--after '{next}'`")));
    }
    Ok(Ended::Done)
}

/// The time is that of the state: when it ended, began or may run.
fn line(job: &JobSummary) -> String {
    let at = job.finished_at.or(job.started_at).unwrap_or(job.run_at);
    let fault = job.fault.as_deref().unwrap_or_default().replace(['\t', '\n', '\r'], " ");
    let JobSummary { id, state, kind, queue, attempts, .. } = job;
    format!("{id}\t{state}\t{kind}\t{queue}\t{attempts}\t{}\t{fault}", time(at))
}

fn time(at: Timestamp) -> String {
    at.to_string()
}

async fn get(database: &Database, id: JobId) -> Result<Ended> {
    let Some(job) = database.open().await?.get(vec![id]).await?.pop().flatten() else {
        return Ok(missing(id));
    };
    say(&line(&job.summary));
    say(&format!("args\t{}", job.args));
    if let Some(result) = &job.result {
        say(&format!("result\t{result}"));
    }
    for attempt in &job.history {
        let fault = attempt.fault.as_ref().map_or("", |fault| &fault.message);
        say(&format!(
            "attempt {}\t{}\t{}\t{fault}",
            attempt.attempt,
            attempt.outcome,
            time(attempt.ended_at)
        ));
    }
    for entry in &job.log {
        say(&format!("log\t{}\t{}\t{}", entry.attempt, time(entry.at), entry.text));
    }
    Ok(Ended::Done)
}

async fn act(steer: Steer, action: Action) -> Result<Ended> {
    let by = By::Person(Person::new(steer.person, Via::CommandLine)?.because(&steer.reason));
    let acted = steer.database.open().await?.act(steer.ids.clone(), action, by).await?;
    let ended = steer.ids.iter().zip(acted).map(|(id, acted)| told(*id, acted));
    // The worst of them is the exit code.
    let ended: Vec<_> = ended.collect();
    let worst = [Ended::NotFound, Ended::Refused].into_iter().find(|worst| ended.contains(worst));
    Ok(worst.unwrap_or(Ended::Done))
}

fn told(id: JobId, acted: Acted) -> Ended {
    match acted {
        Acted::Done(state) => {
            say(&format!("{id}\t{state}"));
            Ended::Done
        }
        Acted::Flagged => {
            say(&format!("{id}\tasked to stop"));
            Ended::Done
        }
        Acted::Refused(state) => {
            complain(&Error::misuse(format!("{id} is {state}; that cannot be done from there")));
            Ended::Refused
        }
        Acted::Missing => missing(id),
    }
}

fn missing(id: JobId) -> Ended {
    complain(&Error::misuse(format!(
        "there is no job {id}; jobs that ended are kept for a time and then removed"
    )));
    Ended::NotFound
}

//! The command `portfire`: a dashboard for any database of Portfire, and its jobs from a terminal.
//!
//! 1. The command line is parsed; what it lacks may stand in the environment.
//! 2. The storage is opened, which brings its tables up to date.
//! 3. One command runs. Its data goes to standard output, everything else to standard error.
//!
//! Exit codes: 0 done, 1 it failed, 2 it was asked wrongly, 3 there is no such job, 5 the job's state forbids it.

mod dashboard;
mod jobs;
mod keys;

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use portfire::Jobs;
use portfire_core::{Error, Result, Storage};
use tracing_subscriber::EnvFilter;

/// See and steer the jobs of a Portfire database.
#[derive(Debug, Parser)]
#[command(name = "portfire", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the dashboard and its JSON API.
    Dashboard(dashboard::Options),
    /// Create the tables of a database, or bring them up to date.
    Migrate(Database),
    /// List, show, retry and cancel jobs.
    Jobs {
        #[command(subcommand)]
        command: jobs::Command,
    },
    /// Make the hash of a password or token, read from standard input, for the files of `dashboard`.
    Hash,
}

/// Which database.
#[derive(Clone, Debug, Args)]
struct Database {
    /// The database: `sqlite://path/to/file.db`, `postgres://user@host/database` or `mysql://user@host/database`.
    #[arg(long, env = "PORTFIRE_DATABASE", value_name = "URL", hide_env_values = true)]
    database: String,
}

impl Database {
    async fn open(&self) -> Result<Arc<dyn Storage>> {
        Ok(Arc::clone(Jobs::connect(&self.database).await?.storage()))
    }

    async fn open_for_dashboard(&self) -> Result<Arc<dyn Storage>> {
        Jobs::storage_for_dashboard(&self.database).await
    }
}

/// How a command ended, if not with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Done,
    NotFound,
    Refused,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(Cli::parse().command).await {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::NotFound) => ExitCode::from(3),
        Ok(Ended::Refused) => ExitCode::from(5),
        Err(error) => {
            complain(&error);
            ExitCode::from(if error.is_misuse() { 2 } else { 1 })
        }
    }
}

async fn run(command: Command) -> Result<Ended> {
    match command {
        Command::Dashboard(options) => dashboard::serve(options).await,
        Command::Migrate(database) => migrate(&database).await,
        Command::Jobs { command } => jobs::run(command).await,
        Command::Hash => hash(),
    }
}

async fn migrate(database: &Database) -> Result<Ended> {
    let view = database.open().await?.describe().await?;
    say(&format!("{}: the tables are of version {} ({})", view.place, view.schema_version, view.product));
    Ok(Ended::Done)
}

fn hash() -> Result<Ended> {
    let mut secret = String::new();
    let read = std::io::stdin().lock().take(1 << 10).read_to_string(&mut secret);
    read.map_err(|cause| Error::misuse("the secret on standard input is no text").caused_by(cause))?;
    let secret = secret.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(Error::misuse(
            "no secret on standard input; as in `printf %s \"$SECRET\" | portfire hash`",
        ));
    }
    say(&portfire_dashboard::hash_password(secret)?);
    Ok(Ended::Done)
}

/// Says a line. Whoever reads may have heard enough.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Says an error with its causes.
fn complain(error: &Error) {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let text = causes.fold(format!("portfire: {error}"), |text, cause| format!("{text}\n  because: {cause}"));
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

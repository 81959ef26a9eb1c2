//! Runs the workloads in rounds: in each round every contestant once, in turn (A B A B …), so that a
//! disk or a neighbor that slows down hits all of them.

use std::path::PathBuf;

use crate::contestant::{Contestant, Fallible};
use crate::contestants::Servers;
use crate::figures::Results;
use crate::heat::Heat;
use crate::workload::Workload;

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) workloads: Vec<Workload>,
    /// Only what contains one of these, in "workload database contestant"; empty for all.
    pub(crate) filters: Vec<String>,
    pub(crate) runs: u32,
    /// Where the databases are that are servers.
    pub(crate) servers: Servers,
    /// Where the databases are.
    pub(crate) data: PathBuf,
}

impl Plan {
    fn wants(&self, label: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| label.contains(filter))
    }
}

/// Runs everything and gathers the samples.
pub(crate) fn run(plan: &Plan, all: &[Box<dyn Contestant>]) -> Fallible<Vec<Results>> {
    let mut results = Vec::new();
    for workload in &plan.workloads {
        for database in databases(all) {
            let starters = starters(plan, all, *workload, database);
            if !starters.is_empty() {
                eprintln!("==> {} {database}: {} rounds of {}", workload.name(), plan.runs, starters.len());
                results.append(&mut rounds(plan, *workload, &starters)?);
            }
        }
    }
    Ok(results)
}

/// The version of each database that takes part; an error if one cannot be reached, or if none is asked for.
pub(crate) async fn versions(plan: &Plan, all: &[Box<dyn Contestant>]) -> Fallible<Vec<String>> {
    let mut versions = Vec::new();
    for database in databases(all) {
        let starts = |workload: &Workload| starters(plan, all, *workload, database).into_iter().next();
        if let Some(one) = plan.workloads.iter().find_map(starts) {
            versions.push(one.database().version().await?);
        }
    }
    versions.dedup();
    if versions.is_empty() {
        return Err(format!("nothing contains `{}`", plan.filters.join("` or `")).into());
    }
    Ok(versions)
}

fn databases(all: &[Box<dyn Contestant>]) -> Vec<&str> {
    let mut databases: Vec<_> = all.iter().map(|one| one.database().name()).collect();
    databases.dedup();
    databases
}

/// Who does this on that database, if it is asked for.
fn starters<'a>(
    plan: &Plan,
    all: &'a [Box<dyn Contestant>],
    workload: Workload,
    database: &str,
) -> Vec<&'a dyn Contestant> {
    let takes = |one: &&dyn Contestant| {
        one.database().name() == database
            && one.database().takes(workload)
            && one.takes(workload)
            && plan.wants(&format!("{} {database} {}", workload.name(), one.name()))
    };
    all.iter().map(AsRef::as_ref).filter(takes).collect()
}

fn rounds(plan: &Plan, workload: Workload, starters: &[&dyn Contestant]) -> Fallible<Vec<Results>> {
    let mut results: Vec<_> = starters.iter().map(|one| Results::new(*one, workload)).collect();
    for _ in 0..plan.runs {
        for (one, results) in starters.iter().zip(&mut results) {
            let dir = tempfile::Builder::new().prefix("data-").tempdir_in(&plan.data)?;
            match Heat::new(*one, workload, dir.path()).start(&plan.servers) {
                Ok(sample) => results.samples.push(sample),
                // What others cannot do must not cost us our figures.
                Err(error) if one.is_peer() => eprintln!("    left out: {error}"),
                Err(error) => return Err(error),
            }
        }
    }
    results.retain(|one| !one.samples.is_empty());
    Ok(results)
}

//! Runs the workloads in rounds: in each round every contestant once, in turn (A B A B …), so that a
//! disk or a neighbor that slows down hits all of them.

use std::path::PathBuf;

use crate::contestant::{Contestant, Fallible};
use crate::contestants;
use crate::figures::Results;
use crate::heat::Heat;
use crate::workload::Workload;

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) workloads: Vec<Workload>,
    /// Only what contains one of these, in "workload database"; empty for all.
    pub(crate) filters: Vec<String>,
    pub(crate) runs: u32,
    /// Where the databases are.
    pub(crate) data: PathBuf,
}

impl Plan {
    fn wants(&self, label: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| label.contains(filter))
    }
}

/// Runs everything and gathers the samples.
pub(crate) fn run(plan: &Plan) -> Fallible<Vec<Results>> {
    let all = contestants::all();
    let mut databases: Vec<_> = all.iter().map(|one| one.database()).collect();
    databases.dedup();
    let mut results = Vec::new();
    for workload in &plan.workloads {
        for database in &databases {
            let label = format!("{} {database}", workload.name());
            let takes = |one: &&dyn Contestant| one.database() == *database && one.takes(*workload);
            let starters: Vec<_> = all.iter().map(AsRef::as_ref).filter(takes).collect();
            if plan.wants(&label) && !starters.is_empty() {
                eprintln!("==> {label}: {} rounds of {}", plan.runs, starters.len());
                results.append(&mut rounds(plan, *workload, &starters)?);
            }
        }
    }
    if results.is_empty() {
        return Err(format!("nothing contains `{}`", plan.filters.join("` or `")).into());
    }
    Ok(results)
}

fn rounds(plan: &Plan, workload: Workload, starters: &[&dyn Contestant]) -> Fallible<Vec<Results>> {
    let mut results: Vec<_> = starters.iter().map(|one| Results::new(*one, workload)).collect();
    for _ in 0..plan.runs {
        for (one, results) in starters.iter().zip(&mut results) {
            let dir = tempfile::Builder::new().prefix("data-").tempdir_in(&plan.data)?;
            results.samples.push(Heat::new(*one, workload, dir.path()).start()?);
        }
    }
    Ok(results)
}

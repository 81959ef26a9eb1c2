//! What the measuring stick and a program of peers say to each other: lines of JSON on the program's standard input
//! and output. A library may print there as well, so the program's own lines have a mark.

use std::io::{self, BufRead, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Fallible;
use crate::cost::Cost;
use crate::workload::Workload;

/// How a program's lines begin that are for the measuring stick.
const MARK: &str = "track: ";
/// What is said to a program that is ready.
pub const GO: &str = "go";

/// What a program is started for. It is the first line that it hears: a URL may hold a password, which has no place
/// in a list of processes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// Who is to run.
    pub peer: String,
    /// On which database.
    pub database: String,
    /// Where that is.
    pub url: String,
    /// What is to be done.
    pub workload: Workload,
}

/// What a program says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// All is prepared: go.
    Ready,
    /// It is done.
    Done(Done),
}

/// What a run has come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Of the program itself.
    pub cost: Cost,
    /// How many jobs it was about: fewer than asked for where all of them would take too long.
    pub jobs: u32,
    /// How long each job waited, in microseconds, where that is the measure.
    pub delays: Vec<u64>,
}

/// Says something to the measuring stick.
pub(crate) fn say(what: &impl Serialize) -> Fallible<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{MARK}{}", serde_json::to_string(what)?)?;
    Ok(out.flush()?)
}

/// The next line that was said to this program.
pub(crate) fn heard() -> Fallible<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// What a line of a program says, if it is for the measuring stick.
///
/// # Errors
/// If it has the mark and is not understood.
pub fn understood<T: DeserializeOwned>(line: &str) -> Fallible<Option<T>> {
    line.strip_prefix(MARK).map(serde_json::from_str).transpose().map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::{Said, understood};

    #[test]
    fn only_marked_lines_are_for_the_measuring_stick() {
        assert_eq!(understood::<Said>("hello from a library").unwrap(), None);
        assert_eq!(understood::<Said>(r#"track: "Ready""#).unwrap(), Some(Said::Ready));
        assert!(understood::<Said>("track: nonsense").is_err());
    }
}

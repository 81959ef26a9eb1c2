//! Who takes part: a system on a database with its settings. A further system is one file in `contestants/` that
//! implements this, and one line in its list; Portfire takes part on every database by its URL.

use std::error::Error;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;

use crate::database::{Database, Ground};
use crate::meter::Meter;
use crate::workload::Workload;

/// A result whose error only has to be read by a person.
pub(crate) type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;
/// Something a contestant does.
pub(crate) type Doing<'a> = Pin<Box<dyn Future<Output = Fallible<()>> + 'a>>;

/// A system on a database.
pub(crate) trait Contestant {
    /// The system and its way: `portfire`, `bare/100`.
    fn name(&self) -> String;

    /// The database that it works on.
    fn database(&self) -> &dyn Database;

    /// Whether it is another system, which comes in a program of its own.
    fn is_peer(&self) -> bool {
        false
    }

    /// What it guarantees while it is measured.
    fn promises(&self) -> String;

    /// Whether it can do this workload.
    fn takes(&self, workload: Workload) -> bool;

    /// Makes ready on an empty database, starts the meter, does the work, stops the meter, ends. The work is
    /// done when all of it is as durable as promised.
    fn run<'a>(&'a self, workload: Workload, place: Place<'a>, meter: &'a mut Meter) -> Doing<'a>;
}

/// Where a heat is run: an empty database, and a folder on the disk that is measured.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) ground: &'a dyn Ground,
    pub(crate) dir: &'a Path,
}

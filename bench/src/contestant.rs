//! Who takes part: a system on a database with its settings. A further backend or another crate is one
//! file in `contestants/` that implements this, and one line in its list.

use std::error::Error;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;

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

    /// The database and its settings: `sqlite/full`. Contestants on the same one are compared.
    fn database(&self) -> &'static str;

    /// What it guarantees while it is measured.
    fn promises(&self) -> &'static str;

    /// Whether it can do this workload.
    fn takes(&self, workload: Workload) -> bool;

    /// Makes ready on an empty database (files go into `dir`), starts the meter, does the work, stops the
    /// meter, ends. The work is done when all of it is as durable as promised.
    fn run<'a>(&'a self, workload: Workload, dir: &'a Path, meter: &'a mut Meter) -> Doing<'a>;
}

//! Who takes part. Contestants on the same database stand together; the floor comes last: the bare
//! statements and the bare disk.

mod bare;
mod disk;
mod payload;
mod portfire;
mod sqlite_file;

use crate::contestant::Contestant;
use bare::Bare;
use disk::Disk;
use portfire::Portfire;
use sqlite_file::Flushing;

/// Everybody, in the order of the report.
pub(crate) fn all() -> Vec<Box<dyn Contestant>> {
    let mut all: Vec<Box<dyn Contestant>> = Vec::new();
    for flushing in [Flushing::Full, Flushing::Normal] {
        all.push(Box::new(Portfire { flushing }));
        all.extend([100, 1_000].map(|batch| Box::new(Bare { flushing, batch }) as Box<dyn Contestant>));
        all.push(Box::new(Disk { flushing }));
    }
    all
}

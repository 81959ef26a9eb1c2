//! The disk by itself: what one flush takes on a machine that is as idle as in the others' runs. (Back to
//! back a flush may take a quarter of it: nothing has to wake up.)

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use super::Flushing;
use crate::contestant::{Contestant, Doing, Place};
use crate::database::Database;
use crate::meter::Meter;
use crate::stopwatch;
use crate::workload::{Workload, pause};

/// A page of SQLite.
const PAGE: [u8; 4_096] = [0xA5; 4_096];

/// A file that is overwritten and flushed, a page at a time.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) flushing: Flushing,
}

impl Contestant for Disk {
    fn name(&self) -> String {
        "fdatasync".into()
    }

    fn database(&self) -> &dyn Database {
        &self.flushing
    }

    fn promises(&self) -> String {
        "one page of a file that has its size already is on the disk".into()
    }

    fn takes(&self, workload: Workload) -> bool {
        matches!(workload, Workload::Latency { .. })
    }

    fn run<'a>(&'a self, workload: Workload, place: Place<'a>, meter: &'a mut Meter) -> Doing<'a> {
        Box::pin(async move {
            let mut file = File::create(place.dir.join("pages"))?;
            (0..workload.jobs()).try_for_each(|_| file.write_all(&PAGE))?;
            file.sync_all()?;
            file.seek(SeekFrom::Start(0))?;
            meter.start(place.ground).await?;
            for number in 0..workload.jobs() {
                stopwatch::idle(pause(number)).await;
                let start = stopwatch::now();
                file.write_all(&PAGE)?;
                file.sync_data()?;
                meter.waited(start.elapsed());
            }
            meter.stop(place.ground).await
        })
    }
}

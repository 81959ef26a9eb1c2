//! From samples to figures: medians over the rounds, ratios to the bare statements of the same run.

use serde::Serialize;

use crate::contestant::Contestant;
use crate::meter::Sample;
use crate::workload::{Measure, Workload};

/// All samples of one contestant in one workload.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) workload: Workload,
    pub(crate) database: String,
    pub(crate) contestant: String,
    pub(crate) promises: String,
    /// Whether it is another system.
    pub(crate) peer: bool,
    pub(crate) samples: Vec<Sample>,
}

impl Results {
    pub(crate) fn new(contestant: &dyn Contestant, workload: Workload) -> Self {
        Self {
            workload,
            database: contestant.database().name().into(),
            contestant: contestant.name(),
            promises: contestant.promises(),
            peer: contestant.is_peer(),
            samples: Vec::new(),
        }
    }

    pub(crate) fn measure(&self) -> Measure {
        self.workload.measure()
    }

    /// Jobs per second.
    pub(crate) fn rate(&self) -> Spread {
        self.spread(|sample| self.jobs(sample) / seconds(sample.cost.wall))
    }

    /// How many times the rate of one producer, where several enqueue.
    pub(crate) fn of_one_producer(&self, all: &[Self]) -> Option<f64> {
        let Workload::Enqueue { producers: 2.., .. } = self.workload else { return None };
        let alone = |one: &&Self| matches!(one.workload, Workload::Enqueue { producers: 1, .. });
        let single = all.iter().filter(alone).find(|one| self.is_of_same(one))?;
        Some(self.rate().median / single.rate().median)
    }

    /// How many times its 99th percentile beside no backlog, where it claims beside one.
    pub(crate) fn of_empty(&self, all: &[Self]) -> Option<f64> {
        let Workload::Claim { ready: 1.., .. } = self.workload else { return None };
        let empty = |one: &&Self| matches!(one.workload, Workload::Claim { ready: 0, .. });
        let empty = all.iter().filter(empty).find(|one| self.is_of_same(one))?;
        Some(self.delay(0.99) / empty.delay(0.99))
    }

    /// How many times its own rate in a plain drain by one server with as many slots.
    pub(crate) fn of_drain(&self, all: &[Self]) -> Option<f64> {
        let (Workload::Pinned { slots, .. } | Workload::Drain { servers: 2.., slots, .. }) = self.workload
        else {
            return None;
        };
        let plain = |one: &&Self| matches!(one.workload, Workload::Drain { servers: 1, slots: same, .. } if same == slots);
        let plain = all.iter().filter(plain).find(|one| self.is_of_same(one))?;
        Some(self.rate().median / plain.rate().median)
    }

    fn is_of_same(&self, other: &Self) -> bool {
        other.database == self.database && other.contestant == self.contestant
    }

    /// CPU milliseconds of the process per 1,000 jobs.
    pub(crate) fn cpu_per_thousand(&self) -> f64 {
        self.spread(|sample| real(sample.cost.cpu) / self.jobs(sample)).median
    }

    /// CPU milliseconds of the database's server per 1,000 jobs.
    pub(crate) fn server_cpu_per_thousand(&self) -> Option<f64> {
        self.per_job(|sample| sample.server_cpu)
    }

    /// Transactions per job.
    pub(crate) fn commits_per_job(&self) -> Option<f64> {
        self.per_job(|sample| sample.counts.commits)
    }

    /// Statements that a server was sent per job.
    pub(crate) fn statements_per_job(&self) -> Option<f64> {
        self.per_job(|sample| sample.counts.statements)
    }

    /// Bytes of the database's log per job.
    pub(crate) fn logged_per_job(&self) -> Option<f64> {
        self.per_job(|sample| sample.counts.logged)
    }

    /// Dead rows left behind per job.
    pub(crate) fn dead_per_job(&self) -> Option<f64> {
        self.per_job(|sample| sample.counts.dead)
    }

    /// KiB that the process wrote to the disk per job; a database's server writes by itself.
    pub(crate) fn written_per_job(&self) -> Option<f64> {
        self.per_job(|sample| sample.cost.written.filter(|_| sample.server_cpu.is_none()))
            .map(|bytes| bytes / 1_024.0)
    }

    /// The most memory that was resident, in MiB.
    pub(crate) fn peak_rss(&self) -> Option<f64> {
        self.median_of(|sample| sample.cost.peak_rss.map(|kib| real(kib) / 1_024.0))
    }

    /// The delay in microseconds that this part of the jobs did not exceed: the median of the rounds.
    pub(crate) fn delay(&self, part: f64) -> f64 {
        self.spread(|sample| percentile(&sample.delays, part)).median
    }

    /// CPU milliseconds of the database's server per minute.
    pub(crate) fn server_cpu_per_minute(&self) -> Option<f64> {
        self.median_of(|sample| Some(real(sample.server_cpu?) / 1_000.0 * 60.0 / seconds(sample.cost.wall)))
    }

    /// CPU milliseconds per minute.
    pub(crate) fn cpu_per_minute(&self) -> f64 {
        self.spread(|sample| real(sample.cost.cpu) / 1_000.0 * 60.0 / seconds(sample.cost.wall)).median
    }

    /// Transactions per minute.
    pub(crate) fn commits_per_minute(&self) -> Option<f64> {
        self.median_of(|sample| Some(real(sample.counts.commits?) * 60.0 / seconds(sample.cost.wall)))
    }

    /// Statements per minute.
    pub(crate) fn statements_per_minute(&self) -> Option<f64> {
        self.median_of(|sample| Some(real(sample.counts.statements?) * 60.0 / seconds(sample.cost.wall)))
    }

    /// Jobs that came per second, where they came at a rate of their own.
    pub(crate) fn load(&self) -> Option<f64> {
        matches!(self.workload, Workload::Load { .. }).then(|| self.rate().median)
    }

    /// Whether this is what the others are compared with: the bare statements in the batch that fits.
    fn is_floor_of(&self, other: &Self) -> bool {
        let batch = other.workload.bare_batch();
        let same = self.workload == other.workload && self.database == other.database;
        same && self.contestant == format!("bare/{batch}")
    }

    fn jobs(&self, sample: &Sample) -> f64 {
        sample.jobs.unwrap_or(self.workload.jobs()).into()
    }

    fn per_job(&self, count: impl Fn(&Sample) -> Option<u64>) -> Option<f64> {
        self.median_of(|sample| count(sample).map(|count| real(count) / self.jobs(sample)))
    }

    fn spread(&self, figure: impl Fn(&Sample) -> f64) -> Spread {
        Spread::of(self.samples.iter().map(figure).collect())
    }

    fn median_of(&self, figure: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        let figures: Option<Vec<_>> = self.samples.iter().map(figure).collect();
        figures.map(|figures| Spread::of(figures).median)
    }
}

/// How many times the floor's rate `of` reaches; `None` without a floor.
pub(crate) fn ratio(all: &[Results], of: &Results) -> Option<f64> {
    let floor = all.iter().find(|one| one.is_floor_of(of))?;
    Some(of.rate().median / floor.rate().median)
}

/// How many times the rate of the fastest peer this one's is; `None` without a peer.
pub(crate) fn of_fastest_peer(all: &[Results], of: &Results) -> Option<f64> {
    let rates = peers(all, of).map(|one| one.rate().median);
    Some(of.rate().median / rates.reduce(f64::max)?)
}

/// How many times the median delay of the quickest peer this one's is.
pub(crate) fn of_quickest_peer(all: &[Results], of: &Results) -> Option<f64> {
    let delays = peers(all, of).map(|one| one.delay(0.5));
    Some(of.delay(0.5) / delays.reduce(f64::min)?)
}

/// How many times the CPU time per job of the cheapest peer this one's is, by the process, or with the server.
pub(crate) fn of_cheapest_peer(all: &[Results], of: &Results, with_server: bool) -> Option<f64> {
    let cost = |one: &Results| {
        let server = if with_server { one.server_cpu_per_thousand()? } else { 0.0 };
        Some(one.cpu_per_thousand() + server)
    };
    Some(cost(of)? / peers(all, of).filter_map(cost).reduce(f64::min)?)
}

/// The peers that did the same on the same database.
fn peers<'r>(all: &'r [Results], of: &'r Results) -> impl Iterator<Item = &'r Results> {
    all.iter().filter(move |one| one.peer && one.workload == of.workload && one.database == of.database)
}

/// How many flushes of the same disk in the same rounds the median delay is as long as.
pub(crate) fn flushes(all: &[Results], of: &Results) -> Option<f64> {
    let same = |one: &&Results| one.workload == of.workload && one.database == of.database;
    let disk = all.iter().filter(same).find(|one| one.contestant == "fdatasync")?;
    Some(of.delay(0.5) / disk.delay(0.5))
}

/// The middle and the ends of some figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Spread {
    fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        let median = match figures.len() % 2 {
            0 if middle > 0 => f64::midpoint(figures[middle - 1], figures[middle]),
            _ => figures.get(middle).copied().unwrap_or(f64::NAN),
        };
        let end = |figure: Option<&f64>| figure.copied().unwrap_or(f64::NAN);
        Self { least: end(figures.first()), median, most: end(figures.last()) }
    }
}

/// The smallest of `times` that at least this part of them does not exceed (nearest rank).
pub(crate) fn percentile(times: &[u64], part: f64) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    let count = f64::from(u32::try_from(times.len()).unwrap_or(u32::MAX));
    let rank = (0_u32..).zip(&times).find(|(index, _)| f64::from(index + 1) >= part * count);
    rank.map_or(f64::NAN, |(_, time)| real(*time))
}

fn seconds(micros: u64) -> f64 {
    real(micros) / 1_000_000.0
}

#[expect(clippy::cast_precision_loss, reason = "figures of a measurement have a handful of digits")]
fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::{Spread, percentile};

    #[test]
    fn a_median_is_the_middle_or_halfway_between_the_two_middles() {
        assert_eq!(Spread::of(vec![9.0, 1.0, 2.0]), Spread { least: 1.0, median: 2.0, most: 9.0 });
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 9.0]), Spread { least: 1.0, median: 3.0, most: 9.0 });
        assert!(Spread::of(Vec::new()).median.is_nan());
    }

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let times: Vec<_> = (1..=100).rev().collect();
        assert_eq!((percentile(&times, 0.5), percentile(&times, 0.99)), (50.0, 99.0));
        assert_eq!((percentile(&[7], 0.01), percentile(&[7], 0.99)), (7.0, 7.0));
    }
}

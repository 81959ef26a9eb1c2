//! What Portfire wants to reach, as ratios within one run, and whether this run reached it.
//!
//! A report says so and no more: a noisy machine must not fail anything. A target whose figures are not
//! part of the run is left out.

use crate::figures::{Results, flushes, of_cheapest_peer, of_fastest_peer, of_quickest_peer, ratio};
use crate::workload::{BEST_SLOTS, SLOTS, Workload};

/// A ratio and the side of it that is wanted.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    AtLeast(f64),
    AtMost(f64),
    Below(f64),
}

/// Against what, what is wanted, and what was reached.
type Target = (&'static str, Wanted, f64);

/// What a target came to on one database.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) target: String,
    pub(crate) database: String,
    pub(crate) wanted: String,
    pub(crate) reached: f64,
    pub(crate) met: bool,
}

/// Each target that this run can judge, in the order of the results.
pub(crate) fn verdicts(all: &[Results]) -> Vec<Verdict> {
    let ours = all.iter().filter(|one| one.contestant == "portfire");
    let judged = ours.flat_map(|one| {
        let targets = target(all, one).into_iter().chain(beside_peers(all, one));
        targets.map(|target| verdict(one, target))
    });
    judged.collect()
}

fn verdict(one: &Results, (against, wanted, reached): Target) -> Verdict {
    let (wanted, met) = match wanted {
        Wanted::AtLeast(least) => (format!("≥ {least:.2}"), reached >= least),
        Wanted::AtMost(most) => (format!("≤ {most:.2}"), reached <= most),
        Wanted::Below(most) => (format!("< {most:.2}"), reached < most),
    };
    let target = format!("{}, {against}", one.workload.name());
    Verdict { target, database: one.database.clone(), wanted, reached, met }
}

/// What is wanted of this workload, and what it came to.
fn target(all: &[Results], one: &Results) -> Option<Target> {
    let embedded = one.database.starts_with("sqlite");
    match one.workload {
        Workload::Latency { .. } => Some(("p50 in fdatasync", Wanted::Below(3.0), flushes(all, one)?)),
        Workload::Claim { .. } => Some(("p99 of an empty table's", Wanted::AtMost(2.0), one.of_empty(all)?)),
        Workload::Drain { servers: 4, .. } => {
            Some(("of one server", Wanted::AtLeast(1.0), one.of_drain(all)?))
        }
        Workload::Pinned { .. } => Some(("of unpinned", Wanted::AtLeast(0.8), one.of_drain(all)?)),
        Workload::Idle { .. } if !embedded => {
            let statements = one.statements_per_minute().map(|count| ("statements a minute", count));
            let (what, count) =
                statements.or_else(|| Some(("transactions a minute", one.commits_per_minute()?)))?;
            Some((what, Wanted::AtMost(30.0), count))
        }
        _ if embedded => on_a_file(all, one),
        _ => on_a_server(all, one),
    }
}

/// On SQLite.
fn on_a_file(all: &[Results], one: &Results) -> Option<Target> {
    let of_bare = |least| Some(("of bare", Wanted::AtLeast(least), ratio(all, one)?));
    match one.workload {
        Workload::Enqueue { producers: 16, .. } => {
            Some(("times one producer", Wanted::AtLeast(6.0), one.of_one_producer(all)?))
        }
        Workload::Bulk { .. } => of_bare(0.6),
        // A server takes as much as it has free slots for: the batches of the bare statements are of 100.
        Workload::Drain { slots: SLOTS | BEST_SLOTS, .. } if one.database == "sqlite/full" => of_bare(0.7),
        Workload::Drain { slots: SLOTS | BEST_SLOTS, .. } => of_bare(0.6),
        _ => None,
    }
}

/// On a server; the bare statements of several producers commit one row each on a connection each.
fn on_a_server(all: &[Results], one: &Results) -> Option<Target> {
    let least = match one.workload {
        // One row each on sixteen connections is twice as quick there as on PostgreSQL.
        Workload::Enqueue { producers: 16, .. } if one.database != "postgres" => 1.5,
        Workload::Drain { servers: 1, slots: SLOTS | BEST_SLOTS, .. } | Workload::Lifecycle { .. }
            if one.database != "postgres" =>
        {
            0.7
        }
        _ if one.database != "postgres" => return None,
        Workload::Enqueue { producers: 1, .. } => 0.85,
        Workload::Enqueue { producers: 16, .. } => 2.5,
        Workload::Bulk { .. } => 0.8,
        Workload::Drain { slots: SLOTS | BEST_SLOTS, .. } | Workload::Lifecycle { .. } => 0.75,
        _ => return None,
    };
    Some(("of bare", Wanted::AtLeast(least), ratio(all, one)?))
}

/// Against the best of the peers, if any took part.
fn beside_peers(all: &[Results], one: &Results) -> Vec<Target> {
    let rate = fastest(one).zip(of_fastest_peer(all, one));
    let rate = rate.map(|(least, reached)| ("of the fastest peer", Wanted::AtLeast(least), reached));
    let mut targets: Vec<Target> = rate.into_iter().collect();
    match one.workload {
        Workload::Latency { .. } => {
            let reached = of_quickest_peer(all, one);
            targets.extend(reached.map(|reached| ("p50 of the quickest peer", Wanted::AtMost(0.7), reached)));
        }
        Workload::Drain { servers: 1, slots: BEST_SLOTS, .. } => {
            let own = of_cheapest_peer(all, one, false);
            targets.extend(own.map(|reached| ("CPU of the cheapest peer", Wanted::Below(1.0), reached)));
            let both = of_cheapest_peer(all, one, true).filter(|_| one.server_cpu_per_thousand().is_some());
            targets.extend(both.map(|reached| ("CPU with the server's", Wanted::AtMost(0.6), reached)));
        }
        _ => {}
    }
    targets
}

/// How many times the rate of the fastest peer is wanted.
fn fastest(one: &Results) -> Option<f64> {
    let embedded = one.database.starts_with("sqlite");
    match one.workload {
        Workload::Drain { servers: 1, slots: BEST_SLOTS, .. } => Some(if embedded { 5.0 } else { 2.0 }),
        Workload::Enqueue { producers: 16, .. } => Some(if embedded { 8.0 } else { 5.0 }),
        Workload::Enqueue { producers: 1, .. } if !embedded => Some(1.2),
        Workload::Bulk { .. } if !embedded => Some(1.5),
        Workload::Lifecycle { .. } if !embedded => Some(2.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::verdicts;
    use crate::figures::Results;
    use crate::meter::Sample;
    use crate::workload::{BEST_SLOTS, Workload};
    use track::cost::Cost;

    fn results(workload: Workload, contestant: &str, wall: u64) -> Results {
        let sample = Sample { cost: Cost { wall, cpu: wall, ..Cost::default() }, ..Sample::default() };
        let (database, promises) = (String::from("sqlite/full"), String::new());
        let peer = contestant == "peer";
        Results { workload, database, contestant: contestant.into(), promises, peer, samples: vec![sample] }
    }

    #[test]
    fn a_target_is_judged_by_the_figures_of_its_own_run() {
        let one = results(Workload::Enqueue { producers: 1, jobs: 100 }, "portfire", 700);
        let sixteen = results(Workload::Enqueue { producers: 16, jobs: 100 }, "portfire", 100);
        let judged = verdicts(&[one.clone(), sixteen.clone()]);
        assert_eq!(judged.len(), 1);
        assert!(judged[0].met && (judged[0].reached - 7.0).abs() < 1e-9, "{judged:?}");

        let slow = results(Workload::Enqueue { producers: 16, jobs: 100 }, "portfire", 117);
        assert!(!verdicts(&[one, slow])[0].met);
        assert!(verdicts(&[sixteen]).is_empty(), "without its other half there is no ratio");
    }
    #[test]
    fn a_drain_is_judged_by_the_fastest_and_the_cheapest_peer() {
        let drain = Workload::Drain { servers: 1, slots: BEST_SLOTS, jobs: 100 };
        let (ours, theirs) = (results(drain, "portfire", 100), results(drain, "peer", 600));
        let mut quick = results(drain, "peer", 450);
        quick.samples[0].jobs = Some(90);
        let judged = verdicts(&[ours.clone(), theirs, quick]);
        let said: Vec<_> = judged.iter().map(|one| (&*one.target, one.reached, one.met)).collect();
        let rate = ("drain/1024, of the fastest peer", 5.0, true);
        let cpu = ("drain/1024, CPU of the cheapest peer", 0.2, true);
        assert_eq!(said, [rate, cpu], "a peer that had 90 of 100 jobs is judged by 90");
        assert!(verdicts(&[ours]).is_empty(), "without peers there is nothing to be fastest of");
    }
}

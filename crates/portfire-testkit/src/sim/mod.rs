//! A seeded simulator: the real engines of several servers, producers, operators and faults on the
//! model of the storage, in virtual time.
//!
//! 1. [`run`] makes a world from a seed and a [`Profile`] and plays it: a storm, a calm in which all that
//!    is due must end, and a closing in which all servers stop well.
//! 2. After every storage call the `invariants` are checked against the simulator's own ledger.
//! 3. The same seed gives the same [`Report`], trace and all.
//!
//! The decisions are those of `portfire_core`; what `portfire`'s driver does with them is done in
//! `server.rs` in the same way, without a runtime. It deliberately simulates no threads: a storage call
//! takes effect at one instant, as a transaction does.

mod accounts;
mod agenda;
mod attempt;
pub mod buggy;
mod calls;
mod clock;
mod faults;
mod invariants;
mod ledger;
mod net;
mod planners;
mod producers;
mod profile;
mod report;
mod scenario;
mod server;
mod trace;
mod world;

use portfire_core::{ModelStorage, Storage};

pub use invariants::Broken;
pub use ledger::Tick;
pub use profile::Profile;
pub use report::{Report, Tally};
use scenario::Scenario;
pub use scenario::{Recurring, begin};
use world::World;

/// Plays one run; only the hash of its trace is kept.
pub fn run(seed: u64, profile: Profile) -> Report {
    World::new(seed, profile, Scenario::mixed(), &plain).run(seed)
}

/// Plays one run and keeps its trace.
pub fn replay(seed: u64, profile: Profile) -> Report {
    World::new(seed, profile, Scenario::mixed(), &plain).traced().run(seed)
}

/// Plays one run on a storage made of the model.
pub fn run_on(seed: u64, profile: Profile, wrap: &dyn Fn(ModelStorage) -> Box<dyn Storage>) -> Report {
    World::new(seed, profile, Scenario::mixed(), wrap).run(seed)
}

/// Plays half an hour in which nothing happens and nothing goes wrong.
pub fn idle(seed: u64) -> Report {
    World::new(seed, Profile::Calm, Scenario::idle(), &plain).run(seed)
}

/// Plays one run about schedules.
pub fn recur(seed: u64, profile: Profile, run: Recurring) -> Report {
    World::new(seed, profile, Scenario::recurring(run), &plain).run(seed)
}

fn plain(model: ModelStorage) -> Box<dyn Storage> {
    Box::new(model)
}

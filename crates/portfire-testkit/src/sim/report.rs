//! What a run came to.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use super::invariants::Broken;
use super::ledger::Tick;
use super::profile::Profile;

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// What went wrong in it.
    pub profile: Profile,
    /// The hash of its whole trace, whether that was kept or not.
    pub hash: u64,
    /// How much virtual time passed.
    pub took: Duration,
    /// Every slot of a schedule that has had its turn, by schedule and time.
    pub slots: Vec<Tick>,
    /// What happened how often.
    pub tally: Tally,
    /// The first invariant that did not hold; `None` if all did.
    pub broken: Option<Broken>,
    /// The whole trace, if it was to be kept.
    pub trace: Vec<String>,
}

impl Report {
    /// The command that plays the same run again and shows its trace.
    pub fn replay(&self) -> String {
        format!("cargo xtask sim --seed {} --profile {}", self.seed, self.profile)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {} ({}), {:.0} s: ", self.seed, self.profile, self.took.as_secs_f64())?;
        match &self.broken {
            Some(broken) => write!(f, "{broken}\nreplay: {}", self.replay()),
            None => write!(f, "all held, trace {:016x}", self.hash),
        }
    }
}

macro_rules! tally {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What happened how often: a fault that never happened has proved nothing.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Tally {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Tally {
            /// Each count with its name.
            pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }
        }

        impl AddAssign for Tally {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

tally! {
    /// Everything on the agenda.
    happenings,
    /// Storage calls that took effect.
    calls,
    /// Attempts begun.
    attempts,
    /// Processes killed.
    crashes,
    /// Processes that stood still.
    pauses,
    /// Servers that stopped well.
    stops,
    /// Servers that stopped without having given back everything.
    given_up,
    /// Jobs taken from dead servers.
    rescues,
    /// Rescues that came too late.
    late_rescues,
    /// Jobs given up because they took three servers down.
    quarantines,
    /// Outcomes that were refused because their lease was lost.
    zombies,
    /// Refusals that reached the server.
    refused,
    /// Exchanges made beside another of the same server.
    beside,
    /// Claims answered again.
    repeated_claims,
    /// Settlements answered again.
    repeated_settlements,
    /// Sets of jobs stored already.
    repeated_sets,
    /// Jobs refused for their unique name.
    duplicates,
    /// Sets refused because a parent was not there.
    orphans,
    /// Changes to schedules.
    edits,
    /// Jobs that schedules made.
    ticks,
    /// Firings that came too late.
    lost_firings,
}

//! The log of a run: one readable line per happening, and a hash of all lines.
//!
//! Ids are shown as short names in the order in which they appear, so that two runs of one seed, and a
//! run before and after a change, can be laid side by side.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use portfire_core::engine::Moment;
use portfire_core::storage::Settled;
use portfire_core::{JobId, Lease, ServerId, Settlement, Target, Token};

/// The log.
#[derive(Debug)]
pub(super) struct Trace {
    lines: Option<Vec<String>>,
    line: String,
    hash: u64,
}

impl Default for Trace {
    fn default() -> Self {
        // The offset basis of FNV-1a.
        Self { lines: None, line: String::new(), hash: 0xCBF2_9CE4_8422_2325 }
    }
}

impl Trace {
    /// From here on its lines are kept.
    pub(super) fn keep(&mut self) {
        self.lines.get_or_insert_default();
    }

    pub(super) fn say(&mut self, now: Moment, what: fmt::Arguments<'_>) {
        self.line.clear();
        let _ = write!(self.line, "{:>12.6} {what}", now.as_secs_f64());
        for byte in self.line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(self.line.clone());
        }
    }

    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}

/// Short names of ids.
#[derive(Debug, Default)]
pub(super) struct Names {
    jobs: BTreeMap<JobId, usize>,
    servers: BTreeMap<ServerId, usize>,
    tokens: BTreeMap<Token, usize>,
}

fn short<K: Ord>(known: &mut BTreeMap<K, usize>, id: K) -> usize {
    let next = known.len() + 1;
    *known.entry(id).or_insert(next)
}

impl Names {
    pub(super) fn job(&mut self, id: JobId) -> String {
        format!("j{}", short(&mut self.jobs, id))
    }

    pub(super) fn server(&mut self, id: ServerId) -> String {
        format!("s{}", short(&mut self.servers, id))
    }

    pub(super) fn token(&mut self, id: Token) -> String {
        format!("t{}", short(&mut self.tokens, id))
    }

    pub(super) fn lease(&mut self, lease: Lease) -> String {
        format!("{}/{}", self.job(lease.job), self.token(lease.token))
    }

    pub(super) fn settlement(&mut self, settlement: &Settlement, answer: Settled) -> String {
        let mut text = format!("{}→{}", self.lease(settlement.lease), settlement.to.state());
        if let Target::Again { after, .. } = &settlement.to {
            let _ = write!(text, "+{:.1}s", after.as_secs_f64());
        }
        if settlement.only_if_expired {
            text.push_str(" if expired");
        }
        match answer {
            Settled::Applied(state) => {
                let _ = write!(text, ": {state}");
            }
            Settled::Lost => text.push_str(": lost"),
        }
        text
    }
}

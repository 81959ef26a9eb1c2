//! Storage calls from sending to answer.
//!
//! 1. A call is sent, and the dice decide its fate: when it arrives (never, once, twice) and when its
//!    caller hears of its end.
//! 2. When it arrives the storage does it, the ledger is told ([`World::enter`]), and everything is
//!    looked at.
//! 3. When it ends its caller goes on, with an answer or without.

use std::collections::BTreeMap;
use std::time::Duration;

use portfire_core::storage::Exchange;

use super::agenda::Happening;
use super::invariants::Holds;
use super::net::{Call, Caller, Reply};
use super::profile::Odds;
use super::server::HostState;
use super::world::World;

/// The calls on their way.
#[derive(Debug, Default)]
pub(super) struct Calls {
    under_way: BTreeMap<u64, InFlight>,
    made: u64,
}

/// A call on its way.
#[derive(Debug)]
struct InFlight {
    caller: Caller,
    call: Call,
    /// What was answered, once per arrival.
    replies: Vec<Reply>,
    /// Whether an answer gets back.
    is_answered: bool,
    /// How often it will still arrive or end.
    left: usize,
}

impl Calls {
    pub(super) fn are_done(&self) -> bool {
        self.under_way.is_empty()
    }

    fn put_back(&mut self, number: u64, mut flight: InFlight) {
        flight.left -= 1;
        if flight.left > 0 {
            self.under_way.insert(number, flight);
        }
    }
}

impl World {
    /// Sends a call, which may never arrive.
    pub(super) fn send(&mut self, caller: Caller, call: Call, deadline: Duration) {
        let odds = self.odds();
        self.send_at(&odds, caller, call, deadline);
    }

    /// Sends a call that arrives, once.
    pub(super) fn send_safely(&mut self, call: Call) {
        self.send_at(&Odds::CALM, Caller::Nobody, call, Duration::from_secs(1));
    }

    fn send_at(&mut self, odds: &Odds, caller: Caller, call: Call, deadline: Duration) {
        let fate = call.fate(&mut self.luck, odds, deadline);
        self.calls.made += 1;
        let (number, left) = (self.calls.made, fate.arrives.len() + 1);
        for arrival in fate.arrives {
            self.agenda.after(arrival, Happening::Arrives(number));
        }
        self.agenda.after(fate.ends, Happening::Ends(number));
        let flight = InFlight { caller, call, replies: Vec::new(), is_answered: fate.is_answered, left };
        self.calls.under_way.insert(number, flight);
    }

    /// A call takes effect.
    pub(super) fn arrives(&mut self, number: u64) -> Holds {
        let Some(mut flight) = self.calls.under_way.remove(&number) else { return Ok(()) };
        let reply = flight.call.make(&*self.storage);
        self.tally.calls += 1;
        self.describe(&flight.call, &reply);
        self.enter(&flight.call, &reply)?;
        self.look(&flight.call, &reply)?;
        self.hint(&flight.call);
        flight.replies.push(reply);
        self.calls.put_back(number, flight);
        Ok(())
    }

    /// A caller hears of the end of its call.
    pub(super) fn ends(&mut self, number: u64) {
        let Some(mut flight) = self.calls.under_way.remove(&number) else { return };
        let last = flight.replies.len().saturating_sub(1);
        let which = if self.luck.chance(500) && !flight.call.must_not_straggle() { 0 } else { last };
        let reply = flight.replies.get(which).filter(|_| flight.is_answered).cloned();
        match flight.caller {
            Caller::Driver(life) => self.driver_heard(life, &flight.call, reply),
            Caller::Line(life, line) => self.line_heard(life, line, reply),
            Caller::Birth(life) => self.born(life, reply.as_ref()),
            Caller::Pulse(life, sent_at) => self.beaten(life, sent_at, reply),
            Caller::Producer(number) => self.produced(number, reply.as_ref()),
            Caller::Nobody => {}
        }
        flight.replies.clear();
        self.calls.put_back(number, flight);
    }

    /// Tells servers that there may be work: some of them, some time later.
    fn hint(&mut self, call: &Call) {
        let changes = match call {
            Call::Insert(_) | Call::Act(..) | Call::Fire(_) | Call::Put(_) => true,
            Call::Exchange(Exchange { settlements, .. }) => !settlements.is_empty(),
            _ => false,
        };
        for host in 0..self.hosts.len() {
            let HostState::Up(server) = &self.hosts[host].state else { continue };
            if changes && self.luck.chance(700) {
                let delay = self.luck.millis(0, 20);
                self.agenda.after(delay, Happening::Hinted(server.life));
            }
        }
    }
}

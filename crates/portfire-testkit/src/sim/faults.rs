//! What goes wrong with hosts and clocks, by dice, once a second. (What goes wrong with storage calls
//! is decided call by call.)

use std::time::Duration;

use portfire_core::engine::Event;

use super::agenda::{Happening, Life};
use super::profile::Odds;
use super::server::Pace;
use super::world::World;

impl World {
    /// Rolls for everybody.
    pub(super) fn roll_faults(&mut self) {
        let odds = self.odds();
        for host in 0..self.hosts.len() {
            if let Some(life) = self.hosts[host].server().map(|server| server.life) {
                self.roll_for(life, &odds);
            }
        }
        if self.agenda.now().as_secs().is_multiple_of(10) && self.luck.chance(odds.storage_clock_step) {
            self.step_storage_clock();
        }
    }

    fn roll_for(&mut self, life: Life, odds: &Odds) {
        let out = self.scenario.is_outage(self.agenda.now().as_secs());
        if out || self.luck.chance(odds.crash) {
            return self.crash(life);
        }
        if self.alive(life).is_some_and(|server| server.pace != Pace::Runs) {
            return;
        }
        if self.luck.chance(odds.woken) {
            self.agenda.after(Duration::ZERO, Happening::Hinted(life));
        }
        if self.luck.chance(odds.pause) {
            // Half of them longer than a lease: the server wakes as a zombie.
            let time = if self.luck.chance(500) {
                self.luck.millis(10, 8_000)
            } else {
                self.luck.millis(20_000, 45_000)
            };
            self.pause(life, time);
        } else if self.luck.chance(odds.deaf) {
            self.deafen(life);
        } else if self.luck.chance(odds.deploy) {
            self.ask_to_stop(life);
        } else if self.luck.chance(odds.local_clock_step) {
            self.step_local_clock(life);
        }
    }

    fn deafen(&mut self, life: Life) {
        let time = self.luck.millis(5_000, 50_000);
        let Some(server) = self.alive(life) else { return };
        server.is_deaf = true;
        self.say(|_| format!("host {} sends no heartbeats for {:.1} s", life.host, time.as_secs_f64()));
        self.agenda.after(time, Happening::Hears(life));
    }

    pub(super) fn hear(&mut self, life: Life) {
        if let Some(server) = self.alive(life) {
            server.is_deaf = false;
        }
    }

    /// Asks a server to stop well; some take no more jobs for a while before.
    pub(super) fn ask_to_stop(&mut self, life: Life) {
        self.say(|_| format!("host {} is asked to stop", life.host));
        if self.luck.chance(300) {
            self.tell(life, Event::QuietAsked);
        }
        self.tell(life, Event::StopAsked);
    }

    /// A monotonic clock never goes back, but it may run ahead of the true time.
    fn step_local_clock(&mut self, life: Life) {
        let (now, by) = (self.agenda.now(), self.luck.millis(100, 60_000));
        let Some(server) = self.alive(life) else { return };
        server.clock.step(now, by);
        self.say(|_| format!("the clock of host {} jumps {:.1} s ahead", life.host, by.as_secs_f64()));
        self.set_alarm(life);
    }

    fn step_storage_clock(&mut self) {
        const TEN_MINUTES: Duration = Duration::from_secs(600);
        let by = self.luck.millis(1_000, 600_000).min(TEN_MINUTES);
        let micros = i64::try_from(by.as_micros()).unwrap_or_default();
        let ahead = self.luck.chance(500);
        self.clock.step(if ahead { micros } else { -micros });
        let way = if ahead { "ahead" } else { "back" };
        self.say(|_| format!("the storage's clock jumps {:.1} s {way}", by.as_secs_f64()));
    }

    /// A hint reaches a server, which learns with it whether it would hear of others.
    pub(super) fn hinted(&mut self, life: Life) {
        let listens = self.luck.chance(900);
        self.tell(life, Event::Woken);
        self.tell(life, Event::Listens(listens));
    }
}

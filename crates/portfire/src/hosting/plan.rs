//! In which order services start and stop, and how long each may take: pure, without clock or tasks.
//!
//! 1. [`Plan::step`] begins with the round of *starting* hooks, then *start*, then *started*; within a round
//!    one service after the other in the order they were added, or all together.
//! 2. A failure, a timeout or a request to stop ends the way up: calls in flight are dropped. One that had
//!    succeeded in the same moment counts as started, so the way down begins when all of them have answered,
//!    or after a short while.
//! 3. The way down visits, in reverse, exactly those whose *start* succeeded: *stopping*, *stop*, *stopped*.
//!    There a failure is noted by the caller and changes nothing.
//!
//! Invariants: a hook is called at most once; everything that was started is stopped; the way down never
//! takes longer than its budget, whatever hangs.
//!
//! It deliberately does not know what a service is: it counts them.

use std::time::Duration;

/// How long the plan has existed, on a monotonic clock.
pub(super) type Moment = Duration;

/// The most that is kept back for each service that stops later. An orderly stop that needs longer than
/// this is rare, and one service that drains for long is the common case.
const RESERVE_MAX: Duration = Duration::from_secs(2);

/// The moments in the life of a service, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Hook {
    Starting,
    Start,
    Started,
    Stopping,
    Stop,
    Stopped,
}

impl Hook {
    /// What the service is doing, for people.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "the `starting` hook",
            Self::Start => "start",
            Self::Started => "the `started` hook",
            Self::Stopping => "the `stopping` hook",
            Self::Stop => "stop",
            Self::Stopped => "the `stopped` hook",
        }
    }

    const fn next(self) -> Option<Self> {
        match self {
            Self::Starting => Some(Self::Start),
            Self::Start => Some(Self::Started),
            Self::Stopping => Some(Self::Stop),
            Self::Stop => Some(Self::Stopped),
            Self::Started | Self::Stopped => None,
        }
    }

    pub(super) const fn is_down(self) -> bool {
        matches!(self, Self::Stopping | Self::Stop | Self::Stopped)
    }
}

/// One after the other, or all at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Each waits for the one before it. The default.
    #[default]
    OneByOne,
    /// All of a round together; the round ends when all have ended.
    Together,
}

/// What was decided about starting and stopping.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) start: Order,
    pub(super) stop: Order,
    /// The longest the way up may take in all.
    pub(super) startup: Option<Duration>,
    /// The longest the way down may take in all.
    pub(super) shutdown: Duration,
}

/// Something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Call this hook. Ends in [`Plan::ended`], unless it is dropped first.
    Call { part: usize, hook: Hook, within: Option<Duration> },
    /// Drop this call and whatever the service still does: its time is over.
    Drop { part: usize, hook: Hook },
    /// All are started.
    Up,
    /// The way down begins.
    GoingDown,
    /// Nothing is left to do.
    Down,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Round(Hook),
    Up,
    /// Waits for what became of the calls of this round that were dropped on the way up.
    Turning(Hook),
    Down,
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    part: usize,
    until: Option<Moment>,
}

/// Where a host is between its first start and its last stop.
#[derive(Debug)]
pub(super) struct Plan {
    options: Options,
    phase: Phase,
    /// Not yet called in this round; the next one last.
    waiting: Vec<usize>,
    flying: Vec<InFlight>,
    /// Those whose start succeeded, in that order.
    started: Vec<usize>,
    parts: usize,
    /// When the way up, or the way down, must be over.
    until: Option<Moment>,
    asked_to_stop: bool,
}

impl Plan {
    pub(super) fn new(parts: usize, options: Options, now: Moment) -> Self {
        Self {
            options,
            phase: Phase::Round(Hook::Starting),
            waiting: (0..parts).rev().collect(),
            flying: Vec::new(),
            started: Vec::new(),
            parts,
            until: options.startup.map(|limit| now.saturating_add(limit)),
            asked_to_stop: false,
        }
    }

    /// A call ended. `is_ok` is whether the hook succeeded; a dropped call that had not is said to have failed.
    pub(super) fn ended(&mut self, part: usize, hook: Hook, is_ok: bool) {
        let is_awaited = self.phase == Phase::Round(hook) || self.phase == Phase::Turning(hook);
        let Some(index) = self.flying.iter().position(|call| is_awaited && call.part == part) else {
            return; // dropped meanwhile
        };
        self.flying.swap_remove(index);
        if hook == Hook::Start && is_ok {
            self.started.push(part);
        }
        self.asked_to_stop |= !is_ok && !hook.is_down();
    }

    /// Somebody wants everything to stop. Asking again changes nothing.
    pub(super) fn stop(&mut self) {
        self.asked_to_stop = true;
    }

    /// When to step again if nothing happens before.
    pub(super) fn wake_at(&self) -> Option<Moment> {
        self.flying.iter().filter_map(|call| call.until).min()
    }

    pub(super) fn is_down(&self) -> bool {
        self.phase == Phase::Down
    }

    fn is_going_down(&self) -> bool {
        match self.phase {
            Phase::Round(hook) => hook.is_down(),
            Phase::Up => false,
            Phase::Turning(_) | Phase::Down => true,
        }
    }

    /// Decides what to do now.
    pub(super) fn step(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        self.drop_late(now, effects);
        if self.asked_to_stop && !self.is_going_down() {
            self.turn_around(now, effects);
        }
        if matches!(self.phase, Phase::Turning(_)) && self.flying.is_empty() {
            self.enter(Hook::Stopping);
        }
        while let Phase::Round(hook) = self.phase {
            self.call_next(hook, now, effects);
            if !self.flying.is_empty() {
                return;
            }
            self.next_round(hook, effects);
        }
    }

    fn drop_late(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let is_late = |call: &mut InFlight| call.until.is_some_and(|until| now >= until);
        match self.phase {
            Phase::Round(hook) if hook.is_down() => {
                let late = self.flying.extract_if(.., is_late);
                effects.extend(late.map(|call| Effect::Drop { part: call.part, hook }));
            }
            Phase::Round(_) => self.asked_to_stop |= self.flying.iter_mut().any(is_late),
            // Dropped before; it blocks its thread and does not answer.
            Phase::Turning(_) => self.flying.retain_mut(|call| !is_late(call)),
            Phase::Up | Phase::Down => {}
        }
    }

    fn turn_around(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        self.until = Some(now.saturating_add(self.options.shutdown));
        if let Phase::Round(hook) = self.phase {
            let patience = (self.options.shutdown / 10).min(RESERVE_MAX);
            for call in &mut self.flying {
                call.until = Some(now + patience);
                effects.push(Effect::Drop { part: call.part, hook });
            }
            self.phase = Phase::Turning(hook);
        } else {
            self.enter(Hook::Stopping);
        }
        effects.push(Effect::GoingDown);
    }

    fn enter(&mut self, hook: Hook) {
        self.phase = Phase::Round(hook);
        self.waiting = if hook.is_down() { self.started.clone() } else { (0..self.parts).rev().collect() };
    }

    fn next_round(&mut self, hook: Hook, effects: &mut Vec<Effect>) {
        match hook.next() {
            Some(next) => self.enter(next),
            None if hook.is_down() => {
                self.phase = Phase::Down;
                effects.push(Effect::Down);
            }
            None => {
                self.phase = Phase::Up;
                self.until = None;
                effects.push(Effect::Up);
            }
        }
    }

    fn call_next(&mut self, hook: Hook, now: Moment, effects: &mut Vec<Effect>) {
        let order = if hook.is_down() { self.options.stop } else { self.options.start };
        while (order == Order::Together || self.flying.is_empty())
            && let Some(part) = self.waiting.pop()
        {
            let within = self.allowance(hook, order, now);
            self.flying.push(InFlight { part, until: within.map(|within| now.saturating_add(within)) });
            effects.push(Effect::Call { part, hook, within });
        }
    }

    /// How long the call that begins now may take.
    fn allowance(&self, hook: Hook, order: Order, now: Moment) -> Option<Duration> {
        let left = self.until?.saturating_sub(now);
        if !hook.is_down() {
            return Some(left);
        }
        let in_turn = |count: usize| if order == Order::Together { count.min(1) } else { count };
        let waiting = if order == Order::Together { 0 } else { self.waiting.len() };
        // The last round is cheap as a rule, so all of it counts as one more stop.
        let later = match hook {
            Hook::Stopping => waiting + in_turn(self.started.len()) + 1,
            Hook::Stop => waiting + 1,
            _ => waiting,
        };
        Some(share(left, later))
    }
}

/// All that is left, less a reserve for each of those that come `later`: half an equal share, at most
/// [`RESERVE_MAX`]. With 30 s and five services, the first to stop may take 20 s.
fn share(left: Duration, later: usize) -> Duration {
    let later = u32::try_from(later).unwrap_or(u32::MAX - 1);
    let reserve = (left / (later + 1) / 2).min(RESERVE_MAX);
    left.saturating_sub(reserve * later)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const BUDGET: Duration = Duration::from_secs(30);

    #[test]
    fn those_that_come_later_keep_a_reserve() {
        assert_eq!(share(BUDGET, 0), BUDGET);
        assert_eq!(share(BUDGET, 5), SECOND * 20);
        assert!(share(SECOND, 9) > Duration::ZERO);
        assert_eq!(share(Duration::ZERO, 9), Duration::ZERO);
    }

    /// How one hook of one service behaves.
    #[derive(Clone, Copy, Debug)]
    enum Manner {
        Ends { after: Duration, is_ok: bool },
        Hangs,
    }

    fn manners() -> impl Strategy<Value = Manner> {
        prop_oneof![
            8 => (0_u64..3).prop_map(|after| Manner::Ends { after: SECOND * u32::try_from(after).unwrap(), is_ok: true }),
            1 => (0_u64..3).prop_map(|after| Manner::Ends { after: SECOND * u32::try_from(after).unwrap(), is_ok: false }),
            1 => Just(Manner::Hangs),
        ]
    }

    fn orders() -> impl Strategy<Value = Order> {
        prop_oneof![Just(Order::OneByOne), Just(Order::Together)]
    }

    /// When a call ends, and whether it succeeds; `None` if it hangs.
    type End = Option<(Moment, bool)>;

    /// A world in which a plan is performed: what was called, dropped and ended, and when.
    struct World {
        plan: Plan,
        now: Moment,
        manners: Vec<[Manner; 6]>,
        /// Calls that run: (part, hook, when it ends).
        running: Vec<(usize, Hook, End)>,
        /// What became of the calls that were dropped on the way up.
        answers: Vec<(usize, Hook, bool)>,
        history: Vec<(usize, Hook)>,
        started: Vec<usize>,
        going_down_at: Option<Moment>,
        is_down: bool,
    }

    impl World {
        fn step(&mut self) {
            let mut effects = Vec::new();
            self.plan.step(self.now, &mut effects);
            for effect in effects {
                match effect {
                    Effect::Call { part, hook, within } => {
                        assert!(within.is_some() || !hook.is_down(), "a stop without a limit");
                        let end = match self.manners[part][hook as usize] {
                            Manner::Ends { after, is_ok } => Some((self.now + after, is_ok)),
                            Manner::Hangs => None,
                        };
                        self.running.push((part, hook, end));
                        self.history.push((part, hook));
                    }
                    Effect::Drop { part, hook } => {
                        let index = self.running.iter().position(|(other, _, _)| *other == part);
                        let (_, _, end) = self.running.swap_remove(index.expect("only what runs is dropped"));
                        // It may have succeeded in the same moment; then it says so.
                        let is_ok = end.is_some_and(|(at, is_ok)| at <= self.now && is_ok);
                        if !hook.is_down() {
                            self.answers.push((part, hook, is_ok));
                        }
                    }
                    Effect::Up => {}
                    Effect::GoingDown => self.going_down_at = Some(self.now),
                    Effect::Down => self.is_down = true,
                }
            }
        }

        fn ended(&mut self, part: usize, hook: Hook, is_ok: bool) {
            if hook == Hook::Start && is_ok {
                self.started.push(part);
            }
            self.plan.ended(part, hook, is_ok);
        }

        /// Lets the next thing happen: the end of a call, or the moment the plan named. `false` if nothing will.
        fn go_on(&mut self, stop_at: Moment) -> bool {
            if let Some((part, hook, is_ok)) = self.answers.pop() {
                self.ended(part, hook, is_ok);
                return true;
            }
            let ends = self.running.iter().filter_map(|(_, _, end)| end.map(|(at, _)| at)).min();
            let asks = self.going_down_at.is_none().then_some(stop_at);
            let Some(next) = ends.into_iter().chain(self.plan.wake_at()).chain(asks).min() else {
                return false;
            };
            self.now = self.now.max(next);
            let now = self.now;
            // One at a time, so that others of the same moment may be dropped.
            let ended = self.running.iter().position(|(_, _, end)| end.is_some_and(|(at, _)| at <= now));
            if let Some((part, hook, Some((_, is_ok)))) = ended.map(|index| self.running.remove(index)) {
                self.ended(part, hook, is_ok);
            }
            if now >= stop_at {
                self.plan.stop();
            }
            true
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_way_up_comes_down_within_its_budget(
            manners in proptest::collection::vec(proptest::array::uniform6(manners()), 0..8),
            start in orders(),
            stop in orders(),
            startup in proptest::option::of(1_u64..20),
            stop_at in 0_u64..60,
        ) {
            let options = Options { start, stop, startup: startup.map(Duration::from_secs), shutdown: BUDGET };
            let plan = Plan::new(manners.len(), options, Duration::ZERO);
            let mut world = World {
                plan, now: Duration::ZERO, manners, running: vec![], answers: vec![], history: vec![], started: vec![],
                going_down_at: None, is_down: false,
            };
            let stop_at = Duration::from_secs(stop_at);
            world.step();
            while !world.is_down {
                prop_assert!(world.go_on(stop_at), "nothing will ever happen: a deadlock");
                world.step();
            }
            prop_assert!(world.running.is_empty(), "left running: {:?}", world.running);
            let took = world.now.saturating_sub(world.going_down_at.unwrap());
            prop_assert!(took <= BUDGET, "the way down took {took:?}");

            // Each hook at most once; the way down visits those that started, in reverse, hook by hook.
            let mut seen = world.history.clone();
            seen.sort_unstable();
            seen.dedup();
            prop_assert_eq!(seen.len(), world.history.len());
            for hook in [Hook::Stopping, Hook::Stop, Hook::Stopped] {
                let visited: Vec<_> =
                    world.history.iter().filter(|(_, called)| *called == hook).map(|(part, _)| *part).collect();
                let expected: Vec<_> = world.started.iter().rev().copied().collect();
                prop_assert_eq!(visited, expected, "{:?}", hook);
            }
            prop_assert!(world.history.is_sorted_by_key(|(_, hook)| *hook), "{:?}", world.history);
        }
    }
}

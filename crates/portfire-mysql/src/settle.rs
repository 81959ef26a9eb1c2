//! The server's door: notes, settlements, the fate of children, and claims, in one transaction of at most three
//! packets, whatever the batch.
//!
//! 1. The rows of all attempts that are spoken of are held, in the order of their ids, and what has to be known
//!    of their jobs is read; with it, whether this server may claim.
//! 2. Notes, settlements and the fate of children are written, and the head of the first queue is held.
//! 3. What was held is taken, and all is committed.
//!
//! Further queues and generations of children cost a packet each. The decisions are made already
//! ([`Settlement`], [`Trigger`](portfire_core::Trigger)); here they are guarded and written.
//!
//! What is held is read anew, by a statement of its own: one that holds rows sees them as they are now, and
//! everything else as it was when the statement began.
//!
//! A handler that settles its own job in the application's transaction runs the same steps there
//! ([`settle_alone`]).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use portfire_core::storage::{Exchange, Exchanged, LogLine, Note, Progress, Settled};
use portfire_core::{JobId, Lease, Result, ServerId, Settlement, State, Timestamp, Token};

use crate::body::{Bodies, Body};
use crate::claim;
use crate::ending::Endings;
use crate::family::tell_children;
use crate::insert::{Executor, in_transaction};
use crate::mark::Marks;
use crate::pool::{Answer, Lane, Step};
use crate::rows::{Row, Value};
use crate::statements::Op;
use crate::tally::Tallies;

/// What an exchange came to, and the first priority, in the order of claims, of jobs that it made ready.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) answer: Exchanged,
    pub(crate) made_ready: Option<i64>,
}

/// One exchange. One that settles with one lease twice is done in pieces, so that each is judged by what the one
/// before it left.
pub(crate) async fn exchange(
    lane: &mut Lane,
    now: Option<i64>,
    request: &Exchange,
    (marks, bodies): (&Marks, &Bodies),
) -> Result<Done> {
    lane.begin();
    let (mut done, mut notes, mut left) = (Done::default(), &*request.notes, &*request.settlements);
    while let Some(cut) = first_repeat(left) {
        let (piece, rest) = left.split_at(cut);
        let said = said(lane, now, bodies, (notes, piece), Vec::new(), &mut done).await?;
        lane.run(said.steps).await?;
        (notes, left) = (&[], rest);
    }
    let asked = claim::questions(now, request);
    let said = said(lane, now, bodies, (notes, left), asked, &mut done).await?;
    let permit = claim::Permit::read(request.want.as_ref(), &said.answers, &said.gone)?;
    claim::claim(lane, now, request, (said.steps, permit), (marks, bodies), &mut done.answer).await?;
    bodies.let_go(request.settlements.iter().map(|settlement| settlement.lease));
    Ok(done)
}

/// One settlement by itself, in the transaction that is open. It is several statements, so there must be one.
pub(crate) async fn settle_alone<E: Executor>(db: &mut E, settlement: &Settlement) -> Result<Settled> {
    db.run(in_transaction()).await?;
    let (mut done, one) = (Done::default(), std::slice::from_ref(settlement));
    let said = said(db, None, &Bodies::default(), (&[], one), Vec::new(), &mut done).await?;
    db.run(said.steps).await?;
    Ok(done.answer.settled.pop().unwrap_or(Settled::Lost))
}

/// The first of two priorities, in the order of claims.
pub(crate) fn first(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}

/// Where a lease comes that was there before.
fn first_repeat(settlements: &[Settlement]) -> Option<usize> {
    let mut seen = HashSet::new();
    settlements.iter().position(|settlement| !seen.insert(settlement.lease))
}

/// What notes and settlements come to, before it is written.
#[derive(Default)]
struct Said<'s> {
    /// All that is left to be written.
    steps: Vec<Step<'s>>,
    /// The jobs that are settled by it.
    gone: HashSet<JobId>,
    /// The answers to what was asked along with what had to be known.
    answers: Vec<Answer>,
}

/// Judges notes and settlements of different leases.
async fn said<'s, E: Executor>(
    db: &mut E,
    now: Option<i64>,
    bodies: &Bodies,
    (notes, settlements): (&'s [Note], &'s [Settlement]),
    mut ask: Vec<Step<'s>>,
    done: &mut Done,
) -> Result<Said<'s>> {
    let mut said = Said::default();
    if notes.is_empty() && settlements.is_empty() {
        said.answers = db.run(ask).await?;
        return Ok(said);
    }
    let asks = Asks::of(notes, settlements, bodies);
    let mut steps = questions::<E>(now, &asks);
    steps.append(&mut ask);
    let mut answers = db.run(steps).await?.into_iter();
    let mut known = Known::read(asks, &mut answers)?;
    said.answers = answers.collect();
    said.steps = note_steps(notes, &mut known);
    let (mut endings, mut tallies, mut lost) = (Endings::new(known.now), Tallies::default(), Vec::new());
    for settlement in settlements {
        let Some((held, body)) = known.passed(settlement) else {
            lost.push((done.answer.settled.len(), settlement.lease));
            done.answer.settled.push(Settled::Lost);
            continue;
        };
        let seq = known.attempts.get(&settlement.lease.job).copied().unwrap_or_default() + 1;
        let state = endings.settle(settlement, held, body, seq, &mut tallies);
        said.gone.insert(settlement.lease.job);
        done.answer.settled.push(Settled::Applied(state));
    }
    answer_repeats(db, &lost, &mut done.answer.settled).await?;
    done.made_ready = first(done.made_ready, endings.made_ready());
    let ended = endings.write(&mut said.steps);
    let family = tell_children(db, known.now, ended, known.children, &mut tallies).await?;
    done.made_ready = first(done.made_ready, family.made_ready);
    said.steps.extend(family.steps);
    said.steps.extend(tallies.steps(now));
    Ok(said)
}

/// What has to be known; the order is that of [`Known::read`].
fn questions<'s, E: Executor>(now: Option<i64>, asks: &Asks) -> Vec<Step<'s>> {
    let ending = if E::READS_ARE_CURRENT { Op::Ending } else { Op::EndingHeld };
    let all = [
        (true, (Op::RunningHeld, vec![Value::jobs(&asks.held)])),
        (!asks.rescued.is_empty(), (Op::RunningRescued, vec![Value::jobs(&asks.rescued)])),
        (!asks.noted.is_empty(), (Op::SucceededBy, vec![Value::jobs(&asks.noted)])),
        (!asks.unread.is_empty(), (ending, vec![Value::Now(now), Value::jobs(&asks.unread)])),
        (!asks.bodies.is_empty(), (Op::Now, vec![Value::Now(now)])),
        (asks.tells, (Op::ChildrenOf, vec![Value::jobs(&asks.settled)])),
        (!asks.recorded.is_empty(), (Op::AttemptLast, vec![Value::jobs(asks.recorded.iter().copied())])),
        (!asks.logged.is_empty(), (Op::LogLast, vec![Value::jobs(asks.logged.iter().copied())])),
        (asks.rescues, (Op::ServersAlive, vec![Value::Now(now)])),
    ];
    all.into_iter().filter(|(asked, _)| *asked).map(|(_, step)| step).collect()
}

const fn lease_of(note: &Note) -> Lease {
    match note {
        Note::Progress(lease, _) | Note::Log(lease, _) => *lease,
    }
}

/// Of whom what has to be known.
struct Asks {
    settled: BTreeSet<JobId>,
    /// What is known of jobs already, by the leases that they are settled with.
    bodies: HashMap<Lease, Body>,
    /// Of whom it has to be read, if of anybody. The instant comes with it, but nothing comes of those who are not there:
    /// it is asked for beside it where something is known already.
    unread: BTreeSet<JobId>,
    /// Whether those who wait for these jobs can be asked for at once. Not with rescues: whoever ends a job holds
    /// those as well, and would be waited for.
    tells: bool,
    /// Whether it matters which servers are gone.
    rescues: bool,
    /// Whose attempts are waited for, because they are spoken of by those who run them.
    held: BTreeSet<JobId>,
    /// Whose are not, where others hold them: a handler may be ending its own.
    rescued: BTreeSet<JobId>,
    recorded: BTreeSet<JobId>,
    noted: BTreeSet<JobId>,
    logged: BTreeSet<JobId>,
}

impl Asks {
    fn of(notes: &[Note], settlements: &[Settlement], bodies: &Bodies) -> Self {
        let settled: BTreeSet<_> = settlements.iter().map(|settlement| settlement.lease.job).collect();
        let known = settlements.iter().filter_map(|one| Some((one.lease, bodies.of(one.lease)?)));
        let bodies: HashMap<_, _> = known.collect();
        let unread = settlements.iter().map(|one| one.lease).filter(|lease| !bodies.contains_key(lease));
        let unread: BTreeSet<_> = unread.map(|lease| lease.job).collect();
        let recorded = settlements.iter().filter(|one| one.record.is_some()).map(|one| one.lease.job);
        let logged = notes.iter().filter(|note| matches!(note, Note::Log(..)));
        let noted: BTreeSet<_> = notes.iter().map(|note| lease_of(note).job).collect();
        let of = |rescues: bool| settlements.iter().filter(move |one| one.only_if_expired == rescues);
        let held: BTreeSet<_> = of(false).map(|one| one.lease.job).chain(noted.iter().copied()).collect();
        Self {
            settled,
            bodies,
            unread,
            tells: !settlements.is_empty() && of(true).next().is_none(),
            rescues: of(true).next().is_some(),
            rescued: of(true).map(|one| one.lease.job).filter(|job| !held.contains(job)).collect(),
            held,
            recorded: recorded.collect(),
            noted,
            logged: logged.map(|note| lease_of(note).job).collect(),
        }
    }
}

/// A running attempt, held by this transaction.
pub(crate) struct Held {
    pub(crate) token: Token,
    pub(crate) server: ServerId,
    pub(crate) started_at: Timestamp,
    pub(crate) cancel_requested: bool,
}

impl Held {
    /// A row of `running_held`.
    fn read(row: &Row) -> Result<(JobId, Self)> {
        let (token, server, started_at) = (row.token(1)?, row.server(2)?, row.time(3)?);
        Ok((row.id(0)?, Self { token, server, started_at, cancel_requested: row.is(4)? }))
    }
}

/// What was read before anything is decided.
struct Known {
    now: i64,
    held: HashMap<JobId, Held>,
    /// By which claim jobs have succeeded.
    succeeded: HashMap<JobId, Token>,
    /// What was known of those that end, and what was read of the others.
    bodies: HashMap<Lease, Body>,
    read: HashMap<JobId, Body>,
    /// The rows of `children_of`, if they were asked for.
    children: Option<Vec<Row>>,
    /// The last numbers in the histories, and of the lines that were said.
    attempts: HashMap<JobId, i64>,
    lines: HashMap<JobId, i64>,
    alive: HashSet<ServerId>,
}

impl Known {
    fn read(asks: Asks, answers: &mut impl Iterator<Item = Answer>) -> Result<Self> {
        let mut rows = |asked: bool| if asked { answers.next().unwrap_or_default().rows } else { Vec::new() };
        let held = [rows(true), rows(!asks.rescued.is_empty())];
        let held = held.iter().flatten().map(Held::read).collect::<Result<_>>()?;
        let succeeded = rows(!asks.noted.is_empty());
        let endings = rows(!asks.unread.is_empty());
        let clock = rows(!asks.bodies.is_empty());
        let now = clock.first().map(|row| row.int(0)).or_else(|| endings.first().map(|row| row.int(1)));
        let read = endings.iter().map(|row| Ok((row.id(0)?, Body::read(row, [2, 3, 4, 5, 6])?)));
        let read = read.collect::<Result<_>>()?;
        Ok(Self {
            now: now.unwrap_or(Ok(0))?,
            bodies: asks.bodies,
            read,
            held,
            succeeded: succeeded.iter().map(|row| Ok((row.id(0)?, row.token(1)?))).collect::<Result<_>>()?,
            children: asks.tells.then(|| rows(true)),
            attempts: numbers(&rows(!asks.recorded.is_empty()))?,
            lines: numbers(&rows(!asks.logged.is_empty()))?,
            alive: rows(asks.rescues).iter().map(|row| row.server(0)).collect::<Result<_>>()?,
        })
    }

    /// The attempt and what has to be known of its job, if the claim still holds the job and may be settled so.
    fn passed(&self, settlement: &Settlement) -> Option<(&Held, &Body)> {
        let held = self.holder(settlement.lease)?;
        let may = !settlement.only_if_expired || !self.alive.contains(&held.server);
        let read = || self.read.get(&settlement.lease.job);
        Some((held, self.bodies.get(&settlement.lease).or_else(read)?)).filter(|_| may)
    }

    fn holder(&self, lease: Lease) -> Option<&Held> {
        self.held.get(&lease.job).filter(|held| held.token == lease.token)
    }

    /// Whether a note counts: a handler that has settled its own job may say more afterwards.
    fn may_speak(&self, lease: Lease) -> bool {
        self.holder(lease).is_some() || self.succeeded.get(&lease.job) == Some(&lease.token)
    }
}

fn numbers(rows: &[Row]) -> Result<HashMap<JobId, i64>> {
    rows.iter().map(|row| Ok((row.id(0)?, row.int(1)?))).collect()
}

/// The steps that write notes: of those whose claim still holds the job, or ended it well.
fn note_steps<'s>(notes: &'s [Note], known: &mut Known) -> Vec<Step<'s>> {
    let (mut progress, mut lines) = (BTreeMap::new(), Vec::new());
    for note in notes.iter().filter(|note| known.may_speak(lease_of(note))) {
        match note {
            // Only the last counts.
            Note::Progress(lease, latest) => drop(progress.insert(*lease, latest)),
            Note::Log(lease, line) => lines.push((lease.job, line)),
        }
    }
    let mut steps: Vec<_> =
        progress.into_iter().map(|(lease, latest)| progress_step(lease.job, latest)).collect();
    if !lines.is_empty() {
        let rows =
            lines.into_iter().map(|(job, line)| log_row(job, line, known.lines.entry(job).or_default()));
        steps.push((Op::LogInsert, vec![Value::Rows(rows.collect())]));
    }
    steps
}

fn progress_step(job: JobId, latest: &Progress) -> Step<'_> {
    let clamp = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let (done, total) = (clamp(latest.done), latest.total.map_or(Value::Null, clamp));
    let row = vec![Value::job(job), done, total, Value::text(latest.message.as_deref())];
    (Op::ProgressPut, vec![Value::Rows(vec![row])])
}

/// A row of `log_insert`, behind the last line of its job.
fn log_row<'s>(job: JobId, line: &'s LogLine, last: &mut i64) -> Vec<Value<'s>> {
    *last += 1;
    let (attempt, at) = (Value::Int(line.attempt.into()), Value::Int(line.at.as_micros()));
    vec![Value::job(job), Value::Int(*last), attempt, at, Value::Text(&line.text)]
}

/// Answers repeats as they were answered; everything else has lost its lease.
async fn answer_repeats<E: Executor>(
    db: &mut E,
    lost: &[(usize, Lease)],
    settled: &mut [Settled],
) -> Result<()> {
    if lost.is_empty() {
        return Ok(());
    }
    let jobs = Value::jobs(lost.iter().map(|(_, lease)| lease.job));
    let answers = db.run(vec![(Op::SettledBefore, vec![jobs])]).await?;
    let rows = answers.iter().flat_map(|answer| &answer.rows);
    let rows: HashMap<_, _> = rows.map(|row| Ok((row.id(0)?, row))).collect::<Result<_>>()?;
    for (position, lease) in lost {
        let Some(row) = rows.get(&lease.job) else { continue };
        if let Some(state) = settled_before(row, lease.token)? {
            settled[*position] = Settled::Applied(state);
        }
    }
    Ok(())
}

/// What this token settled, if nothing that came later has taken it back.
fn settled_before(row: &Row, token: Token) -> Result<Option<State>> {
    let by = |column: usize| -> Result<bool> { Ok(!row.is_null(column) && row.token(column)? == token) };
    if by(1)? {
        return row.text(2)?.parse().map(Some);
    }
    // It was to run again. What it was told then, not what this call asks: after a rescue with this token,
    // a late success must not hear that it was written.
    let ended_by_a_later_claim = !row.is_null(1);
    if by(3)? && !row.is(4)? && !ended_by_a_later_claim {
        return row.text(5)?.parse().map(Some);
    }
    Ok(None)
}

/// A row of `cancel_flags`.
pub(crate) fn read_flag(row: &Row) -> Result<Lease> {
    Ok(Lease { job: row.id(0)?, token: row.token(1)? })
}

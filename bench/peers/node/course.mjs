// A run of one peer: each workload as `bench/track/src/course.rs` and `bench/track/src/load.rs` have it. It ends when the
// peer's own tables say that the work is done.

import { setTimeout as idle } from "node:timers/promises";

import { noteTimes, timeOf, waitFor } from "./arrivals.mjs";
import { since, start } from "./cost.mjs";
import { heard, say } from "./talk.mjs";

const PRELOAD = 1000;
const PRODUCERS = 16;
const LOOK_EVERY = 2;
const WARM_UP = 1000;
/** One job in so many intervals of the peer's own. */
const PART = 2;

const WORK = { Enqueue, Bulk, Drain, Pinned: Drain, Lifecycle, Latency, Load };

/** Where jobs come while a server waits for them. */
const LIVE = ["Lifecycle", "Latency", "Load"];

/** Runs a peer on a database. */
export async function run(Peer, task) {
  const [[kind, sizes]] = Object.entries(task.workload);
  const jobs = Math.min(sizes.jobs, Peer.jobsMax ?? Infinity);
  const peer = await Peer.open(task.url, LIVE.includes(kind));
  const { cost, delays } = await WORK[kind](peer, { ...sizes, jobs });
  say({ Done: { cost, jobs, delays: delays ?? [] } });
}

async function Enqueue(peer, { producers, jobs }) {
  const begun = await go();
  await enqueue(peer, producers, jobs);
  return { cost: since(begun) };
}

async function Bulk(peer, { batch, jobs }) {
  const begun = await go();
  await store(peer, batch, jobs);
  return { cost: since(begun) };
}

async function Drain(peer, { jobs }) {
  await store(peer, PRELOAD, jobs);
  const begun = await go();
  await peer.serve();
  await finished(peer, jobs);
  return { cost: since(begun) };
}

async function Lifecycle(peer, { batch, jobs }) {
  const begun = await go();
  await peer.serve();
  await store(peer, batch, jobs);
  await finished(peer, jobs);
  return { cost: since(begun) };
}

/** From the call that stores a job to the first line of its handler; one job at a time. */
async function Latency(peer, { jobs }) {
  await peer.serve();
  await idle(WARM_UP);
  const begun = await go();
  noteTimes();
  const delays = [];
  for (let number = 1; number <= jobs; number++) {
    await idle(3 + (number % 3) * 2);
    const sent = performance.now();
    await peer.store(mail(number));
    await waitFor(number);
    delays.push(micros(timeOf(number) - sent));
  }
  return { cost: since(begun), delays };
}

/** The same while jobs come at half the rate that the peer can keep up with. */
async function Load(peer, { jobs }) {
  await peer.serve();
  await idle(WARM_UP);
  const before = performance.now();
  await offer(peer, 0, jobs, 0);
  await waitFor(jobs);
  const interval = ((performance.now() - before) * PART) / jobs;
  const begun = await go();
  noteTimes();
  const sent = await offer(peer, jobs, 2 * jobs, interval);
  await waitFor(2 * jobs);
  return { cost: since(begun), delays: sent.map(([number, at]) => micros(Math.max(0, timeOf(number) - at))) };
}

/** Stores these jobs, one in each interval, by producers in turn, and answers when each was sent. */
async function offer(peer, first, end, interval) {
  const begun = performance.now();
  const sent = [];
  await Promise.all(
    Array.from({ length: PRODUCERS }, async (_, producer) => {
      for (let number = first + producer; number < end; number += PRODUCERS) {
        sent.push([number, await meet(begun + interval * (number - first))]);
        await peer.store(mail(number));
      }
    }),
  );
  return sent;
}

/** Waits for this moment; one that has passed counts as it was meant. */
async function meet(due) {
  const early = due - performance.now();
  if (early <= 0) return due;
  await idle(early);
  return performance.now();
}

/** Says that all is prepared, and waits for the word. */
async function go() {
  say("Ready");
  const word = await heard();
  if (word !== "go") throw new Error(`\`go\` was expected, not \`${word}\``);
  return start();
}

/** Each producer stores one job after the other. */
async function enqueue(peer, producers, jobs) {
  const produce = async (_, producer) => {
    for (let number = producer; number < jobs; number += producers) await peer.store(mail(number));
  };
  await Promise.all(Array.from({ length: producers }, produce));
}

async function store(peer, batch, jobs) {
  for (let first = 0; first < jobs; first += batch) {
    const count = Math.min(batch, jobs - first);
    await peer.storeAll(Array.from({ length: count }, (_, index) => mail(first + index)));
  }
}

/** Waits until all have arrived, and until nothing is left to be written. */
async function finished(peer, jobs) {
  await waitFor(jobs);
  while ((await peer.left()) > 0) await idle(LOOK_EVERY);
}

/** The arguments of a job, the same as everybody's (see `bench/track/src/payload.rs`). */
function mail(number) {
  return { number, address: `user.number.${number}@mail.example.org`, template: "welcome", locale: "zh-TW" };
}

function micros(millis) {
  return Math.round(millis * 1000);
}

// How many jobs have arrived at their handlers, and when each did (see `bench/track/src/arrivals.rs`).

let count = 0;
let wanted = Infinity;
let wake = () => {};
let times = null;

/** From now on it is noted when each job comes. */
export function noteTimes() {
  times = new Map();
}

/** This job is here. */
export function arrived(number) {
  times?.set(number, performance.now());
  count += 1;
  if (count >= wanted) wake();
}

/** When this job came. */
export function timeOf(number) {
  return times.get(number);
}

/** Waits until so many are here. */
export function waitFor(many) {
  if (count >= many) return Promise.resolve();
  wanted = many;
  return new Promise((resolve) => {
    wake = resolve;
  });
}

// What the measuring stick and this program say to each other: lines of JSON with a mark (see `bench/track/src/talk.rs`).

import { writeSync } from "node:fs";
import { createInterface } from "node:readline";

const MARK = "track: ";
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Says something to the measuring stick. */
export function say(what) {
  writeSync(1, `${MARK}${JSON.stringify(what)}\n`);
}

/** The next line that was said to this program. */
export async function heard() {
  const { value, done } = await lines.next();
  if (done) throw new Error("nobody says what is to be done");
  return value.trim();
}

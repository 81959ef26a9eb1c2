// What this process uses up: time, CPU, bytes, memory (see `bench/track/src/cost.rs`). Times are in microseconds.

import { readFileSync, writeFileSync } from "node:fs";

/** Now, and from now on the peak of the memory is a new one. */
export function start() {
  try {
    // 5 resets the peak to what is resident now (proc_pid_clear_refs(5)).
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    // Only Linux has it.
  }
  return take();
}

/** What it cost to come from there to here. */
export function since(start) {
  const end = take();
  return {
    wall: Math.round((end.at - start.at) * 1000),
    cpu: end.cpu - start.cpu,
    written: start.written === null ? null : end.written - start.written,
    peak_rss: counter("/proc/self/status", "VmHWM:"),
  };
}

function take() {
  const { user, system } = process.cpuUsage();
  return { at: performance.now(), cpu: user + system, written: counter("/proc/self/io", "write_bytes:") };
}

/** The number behind `key` in a file of lines `key number`. */
function counter(file, key) {
  try {
    const line = readFileSync(file, "utf8").split("\n").find((line) => line.startsWith(key));
    return parseInt(line.slice(key.length), 10);
  } catch {
    return null;
  }
}

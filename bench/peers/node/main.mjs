// The peers that are written for Node, as the measuring stick runs them: `bench/track` in their language.
//
// 1. `--who` lists them.
// 2. Else the first line of the standard input is a task, and the program ends when it is done.

import { BullmqOnPostgres, BullmqOnRedis, BullmqOnRedisAlways } from "./bullmq.mjs";
import { run } from "./course.mjs";
import { Graphile } from "./graphile.mjs";
import { PgBossPeer } from "./pgboss.mjs";
import { heard, say } from "./talk.mjs";

const PEERS = [Graphile, PgBossPeer, BullmqOnPostgres, BullmqOnRedis, BullmqOnRedisAlways];

function takes(peer) {
  const { database, promises, bulk } = peer;
  return { name: `${peer.title} (Node ${process.versions.node.split(".")[0]})`, database, promises, bulk };
}

if (process.argv.includes("--who")) {
  say(PEERS.map(takes));
} else {
  const task = JSON.parse(await heard());
  const isIt = (peer) => takes(peer).name === task.peer && peer.database === task.database;
  await run(PEERS.find(isIt), task);
}
// A server that goes on looking for work is not waited for.
process.exit(0);

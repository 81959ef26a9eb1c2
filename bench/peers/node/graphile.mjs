// graphile-worker, as the page of its documentation on performance has it: 24 jobs at a time, 500 fetched at once,
// completions gathered.

import { Logger, makeWorkerUtils, run } from "graphile-worker";
import pg from "pg";

import { arrived } from "./arrivals.mjs";
import { version } from "./version.mjs";

const CONCURRENCY = 24;
const CONNECTIONS = CONCURRENCY + 1;
/** Not that a job is done, which it would say of each. */
const logger = new Logger(() => (level, message) => {
  if (level === "error") console.error(message);
});

/** It wants both to be listened to. */
function report(event) {
  if (event === "error") return console.error;
  return (client) => client.on("error", console.error);
}

export class Graphile {
  static title = `graphile-worker ${version("graphile-worker")}`;
  static database = "postgres";
  static promises =
    "rows deleted when done; claims without a fence, 500 held by a local queue, for 4 hours after a crash; commits \
survive what the server's settings say";
  static bulk = true;

  static async open(url) {
    const peer = new Graphile();
    peer.pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
    for (const event of ["error", "connect"]) peer.pool.on(event, report(event));
    peer.utils = await makeWorkerUtils({ pgPool: peer.pool, logger });
    await peer.utils.migrate();
    return peer;
  }

  async store(mail) {
    await this.utils.addJob("mail", mail);
  }

  async storeAll(mails) {
    await this.utils.addJobs(mails.map((payload) => ({ identifier: "mail", payload })));
  }

  async serve() {
    const worker = {
      concurrentJobs: CONCURRENCY,
      localQueue: { size: 500 },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    };
    const taskList = { mail: (mail) => arrived(mail.number) };
    await run({ preset: { worker }, pgPool: this.pool, taskList, logger, noHandleSignals: true });
  }

  async left() {
    const { rows } = await this.pool.query("SELECT count(*)::int AS left FROM graphile_worker._private_jobs");
    return rows[0].left;
  }
}

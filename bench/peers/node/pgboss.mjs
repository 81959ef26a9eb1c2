// pg-boss: batches of 1,000 that follow each other while they are full; where jobs come while its worker waits, it is
// woken by NOTIFY. Both are options of its queues and workers.

import pg from "pg";
import { PgBoss } from "pg-boss";

import { arrived } from "./arrivals.mjs";
import { version } from "./version.mjs";

const QUEUE = "mail";
const CONNECTIONS = 32;
const BATCH = 1000;
/** The shortest that it allows. */
const POLL = 0.5;

export class PgBossPeer {
  static title = `pg-boss ${version("pg-boss")}`;
  static database = "postgres";
  static promises =
    "history kept for 7 days; claims without a fence, jobs of a dead process come again after 15 minutes; commits \
survive what the server's settings say";
  static bulk = true;

  static async open(url, live) {
    const peer = new PgBossPeer();
    peer.pool = new pg.Pool({ connectionString: url, max: 1 });
    peer.boss = new PgBoss({ connectionString: url, max: CONNECTIONS, useListenNotify: live });
    peer.boss.on("error", console.error);
    await peer.boss.start();
    await peer.boss.createQueue(QUEUE, { notify: live });
    return peer;
  }

  async store(mail) {
    await this.boss.send(QUEUE, mail);
  }

  async storeAll(mails) {
    await this.boss.insert(QUEUE, mails.map((data) => ({ data })));
  }

  async serve() {
    const how = { batchSize: BATCH, pollingIntervalSeconds: POLL, burstWhenBatchFull: true };
    await this.boss.work(QUEUE, how, async (jobs) => {
      for (const job of jobs) arrived(job.data.number);
    });
  }

  async left() {
    const { rows } = await this.pool.query("SELECT count(*)::int AS left FROM pgboss.job WHERE state < 'completed'");
    return rows[0].left;
  }
}

// BullMQ on Redis, and on PostgreSQL, which it has learned lately: a hundred jobs at a time, and of those that are done the
// last thousand kept, as its page on production has it.

import { createPostgresBackend, Queue, Worker } from "bullmq";

import { arrived } from "./arrivals.mjs";
import { version } from "./version.mjs";

const QUEUE = "mail";
const CONCURRENCY = 100;
const CONNECTIONS = 32;
const KEPT = { removeOnComplete: { count: 1000 }, removeOnFail: { count: 1000 } };
const CLAIMS =
  "the last 1,000 that are done kept; claims with a lock of 30 s, jobs whose lock ran out are found every 30 s";

/** A queue and its workers, wherever their backend is. */
class Bullmq {
  static title = `BullMQ ${version("bullmq")}`;
  static bulk = true;

  static async open(url) {
    const peer = new this();
    peer.options = this.options(url);
    peer.backend = this.backend();
    peer.queue = new Queue(QUEUE, { ...peer.options, defaultJobOptions: KEPT }, ...peer.backend);
    peer.queue.on("error", console.error);
    await peer.queue.waitUntilReady();
    return peer;
  }

  async store(mail) {
    await this.queue.add(QUEUE, mail);
  }

  async storeAll(mails) {
    await this.queue.addBulk(mails.map((data) => ({ name: QUEUE, data })));
  }

  async serve() {
    const work = async (job) => arrived(job.data.number);
    const worker = new Worker(QUEUE, work, { ...this.options, concurrency: CONCURRENCY }, ...this.backend);
    worker.on("error", console.error);
    await worker.waitUntilReady();
  }

  async left() {
    const counts = await this.queue.getJobCounts("wait", "active", "delayed", "prioritized", "paused");
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  }
}

export class BullmqOnRedis extends Bullmq {
  static database = "redis/everysec";
  static promises = `${CLAIMS}; a power cut may take the last second (appendfsync everysec)`;

  static options(url) {
    return { connection: { url, maxRetriesPerRequest: null } };
  }

  static backend() {
    return [];
  }
}

export class BullmqOnRedisAlways extends BullmqOnRedis {
  static database = "redis/always";
  static promises = `${CLAIMS}; commands survive a power cut (appendfsync always)`;
}

export class BullmqOnPostgres extends Bullmq {
  static database = "postgres";
  static promises = `${CLAIMS}; 10,000 jobs at most; commits survive what the server's settings say`;
  // All of them would take minutes.
  static jobsMax = 10_000;

  static options(url) {
    return { connection: { connectionString: url, max: CONNECTIONS, migrate: true } };
  }

  static backend() {
    return [createPostgresBackend];
  }
}

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { createClient, type Client } from "@bellwire/client";
import { createEmitter, type BellwireError, type Emitter } from "@bellwire/emitter";
import type { Redis } from "ioredis";
import { requires } from "../house/requires.js";
import { RelayProcess } from "../support/relay-process.js";
import { TestRedis } from "../support/redis.js";
import { Switch } from "../support/switch.js";
import { connectToken, subscribeToken } from "../support/tokens.js";

const APP_KEY = "k".repeat(40);
const CLIENTS = 2000;
const TOPICS = 40;

interface Watcher {
  readonly client: Client;
  readonly heard: string[];
  readonly expected: Set<string>;
}

describe("a relay that is killed under 2,000 clients of three subscriptions each", () => {
  let redis: TestRedis;
  let folder: string;
  let emitter: Emitter;
  let relays: RelayProcess[];
  let balancer: Switch;
  const watchers: Watcher[] = [];
  let tokens = 0;
  const connections: Redis[] = [];

  before(async function () {
    this.timeout(120_000);
    requires("redis-server", this);
    redis = await TestRedis.start();
    folder = await mkdtemp(join(tmpdir(), "bellwire-storm-"));
    const file = join(folder, "bellwire.json");
    // They are all one user's, so that what is counted is the topics' alone.
    await writeFile(file, JSON.stringify({ limits: { connectionsPerUser: CLIENTS, connectionsPerSession: CLIENTS } }));
    const env = { APP_KEY, REDIS_URL: redis.url, REALTIME_CONFIG: file };
    relays = await Promise.all([RelayProcess.start(env), RelayProcess.start(env)]);
    balancer = await Switch.open((relays[0] as RelayProcess).port);
    emitter = createEmitter({ redis: redis.url });
    await emitter.site("5").publish("first", {}); // it connects now, not when this process is busy with 2,000 returns
  });
  after(async function () {
    this.timeout(30_000);
    for (const connection of connections) connection.disconnect();
    for (const { client } of watchers) client.close();
    await balancer?.close();
    await Promise.all((relays ?? []).map((relay) => relay.stop()));
    await emitter?.close();
    await redis?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** In this process 2,000 clients are busy at the same time, so that an answer may come too late: then it is asked for again. */
  async function publish(topic: string, data: { id: number; n: string }): Promise<void> {
    for (;;) {
      const done = await emitter
        .site("5")
        .publish(topic, data, { idempotencyKey: data.n })
        .catch((error: BellwireError) => error.code);
      if (done === "unavailable") continue;
      expect(done).to.be.an("object");
      return;
    }
  }

  function watch(i: number, whole: () => void): Promise<void[]> {
    const client = createClient({
      url: `ws://127.0.0.1:${balancer.port}`,
      site: "5",
      getConnectionToken: () => {
        tokens++;
        return connectToken(APP_KEY);
      },
      getSubscribeToken: (requests) => {
        tokens++;
        return subscribeToken(APP_KEY, { grants: requests });
      },
      reconnect: { delays: [500, 1000, 2000] },
    });
    const watcher: Watcher = { client, heard: [], expected: new Set() };
    watchers.push(watcher);
    const subscriptions = [
      [`t${i % TOPICS}`, {}],
      [`t${(i + 1) % TOPICS}`, { id: 1 }],
      [`t${(i + 2) % TOPICS}`, { id: [2, 3] }],
    ] as const;
    return Promise.all(
      subscriptions.map(async ([topic, filter], k) => {
        const subscription = client.subscribe(topic, filter, (message) => {
          watcher.heard.push("resync" in message ? `${k} resync` : `${k} ${String(message.data.n)}`);
          if (watcher.expected.size > 0 && [...watcher.expected].every((each) => watcher.heard.includes(each))) whole();
        });
        await subscription.ready;
      }),
    );
  }

  it("is survived by tickets and positions alone: no token is asked for, the log is read per topic, and nothing is missed", async function () {
    this.timeout(120_000);
    let complete = 0;
    let resolveWhole!: () => void;
    const allWhole = new Promise<void>((resolve) => (resolveWhole = resolve));
    for (let i = 0; i < CLIENTS; i += 100) {
      await Promise.all(
        Array.from({ length: 100 }, (_, k) => {
          let done = false;
          return watch(i + k, () => {
            if (done) return;
            done = true;
            if (++complete === CLIENTS) resolveWhole();
          });
        }),
      );
    }
    const asked = tokens;
    const raw = redis.client();
    connections.push(raw);
    const [first, second] = relays as [RelayProcess, RelayProcess];
    await first.kill("SIGKILL");
    // Published while everybody is away.
    for (const [i, watcher] of watchers.entries()) {
      for (const n of [1, 2, 3]) {
        watcher.expected.add(`0 t${i % TOPICS}-${n}`);
      }
      watcher.expected.add(`1 t${(i + 1) % TOPICS}-1`);
      for (const n of [2, 3]) watcher.expected.add(`2 t${(i + 2) % TOPICS}-${n}`);
    }
    for (let t = 0; t < TOPICS; t++) {
      for (const n of [1, 2, 3]) await publish(`t${t}`, { id: n, n: `t${t}-${n}` });
    }
    const reads = { opening: 0, others: 0 };
    const monitor = await raw.monitor();
    connections.push(monitor);
    monitor.on("monitor", (_time, [command, , , , after]: string[]) => {
      if (command?.toLowerCase() === "evalsha") reads[after === "+" || after === "-" ? "opening" : "others"]++;
    });
    balancer.target = second.port;
    await allWhole;
    monitor.disconnect();
    expect(tokens - asked, "token requests").to.equal(0);
    // A topic is opened, and maybe read from its beginning, once.
    expect(reads.opening, "topics opened").to.be.within(TOPICS, TOPICS * 2);
    // What remains are the relay's own comparisons and probes, ten a second however many clients there are.
    expect(reads.others, "further scripts").to.be.lessThan(CLIENTS);
    for (const watcher of watchers) expect([...watcher.heard].sort()).to.deep.equal([...watcher.expected].sort());
  });
});

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { createClient, type Client } from "@bellwire/client";
import { createEmitter, type Emitter } from "@bellwire/emitter";
import { requires } from "../house/requires.js";
import { RelayProcess } from "../support/relay-process.js";
import { TestRedis } from "../support/redis.js";
import { Switch } from "../support/switch.js";
import { connectToken, subscribeToken } from "../support/tokens.js";

const APP_KEY = "k".repeat(40);
const CLIENTS = 90;
// Clients leave over 4 s, after half a second in which a balancer notices.
const CONFIG = "drain: { accept: 500ms, spread: 4s, rate: 1 }\n";

describe("a rolling restart of three relays under publishing", function () {
  this.timeout(90_000);
  let redis: TestRedis;
  let emitter: Emitter;
  let dir: string;
  let relays: RelayProcess[];
  let balancer: Switch;
  const clients: Client[] = [];
  const heard: (number | "resync")[][] = [];
  let reconnects: number[] = [];

  before(async function () {
    requires("redis-server", this);
    redis = await TestRedis.start();
    dir = await mkdtemp(join(tmpdir(), "bellwire-rolling-"));
    const file = join(dir, "bellwire.yaml");
    await writeFile(file, CONFIG);
    const env = { APP_KEY, REDIS_URL: redis.url, REALTIME_CONFIG: file };
    relays = await Promise.all([0, 1, 2].map(() => RelayProcess.start(env)));
    emitter = createEmitter({ redis: redis.url });
  });
  after(async () => {
    for (const client of clients) client.close();
    await balancer?.close();
    await Promise.all((relays ?? []).map((relay) => relay.stop()));
    await emitter?.close();
    await redis?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it("loses nothing, resyncs nobody, and spreads the returns: no second has more than twice the mean", async () => {
    let turn = 0;
    let away = -1;
    // What a balancer does that looks at /readyz: round robin over those that are ready.
    balancer = await Switch.open(() => {
      do turn++;
      while (turn % relays.length === away);
      return (relays[turn % relays.length] as RelayProcess).port;
    });
    await Promise.all(Array.from({ length: CLIENTS }, (_, i) => watch(i)));
    let published = 0;
    let publishing = true;
    const publisher = (async () => {
      while (publishing) {
        await emitter.site("5").publish("Rolling", { n: ++published });
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    })();
    for (const [i, relay] of relays.entries()) {
      reconnects = [];
      away = i;
      await relay.kill("SIGTERM");
      expect(reconnects, "every client of a relay left it by itself").to.have.length.greaterThan(CLIENTS / 6);
      expect(busiestSecond(reconnects)).to.be.at.most((reconnects.length / 4) * 2);
      await relay.run();
      away = -1;
    }
    publishing = false;
    await publisher;
    const all = Array.from({ length: published }, (_, i) => i + 1);
    for (const each of heard) {
      while (each.length < published) await new Promise((resolve) => setTimeout(resolve, 10));
      expect(each).to.deep.equal(all);
    }
  });

  async function watch(i: number): Promise<void> {
    const client = createClient({
      url: `ws://127.0.0.1:${balancer.port}`,
      site: "5",
      getConnectionToken: () => connectToken(APP_KEY),
      getSubscribeToken: (requests) => subscribeToken(APP_KEY, { grants: requests }),
    });
    clients.push(client);
    const mine: (number | "resync")[] = [];
    heard[i] = mine;
    const subscription = client.subscribe("Rolling", (message) => mine.push("resync" in message ? "resync" : Number(message.data.n)));
    await subscription.ready;
    client.onState(() => void (client.state === "connected" && reconnects.push(performance.now())));
  }
});

/** The most events that fall into any one second. */
function busiestSecond(times: readonly number[]): number {
  return Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 1000).length));
}

import { execFileSync } from "node:child_process";
import { expect } from "chai";
import { createEmitter, type Emitter } from "@bellwire/emitter";
import { requires } from "../house/requires.js";
import { RelayProcess, SERVE } from "../support/relay-process.js";
import { TestRedis } from "../support/redis.js";
import { RawClient } from "../support/socket.js";

const APP_KEY = "k".repeat(40);

describe("a relay with several workers", function () {
  this.timeout(60_000);
  let redis: TestRedis;
  let relay: RelayProcess;
  let emitter: Emitter;
  const clients: RawClient[] = [];

  before(async function () {
    requires("redis-server", this);
    redis = await TestRedis.start();
    relay = await RelayProcess.start({ APP_KEY, REDIS_URL: redis.url }, [...SERVE, "--workers", "2"]);
    emitter = createEmitter({ redis: redis.url });
  });
  after(async () => {
    for (const client of clients) client.close();
    await emitter?.close();
    await relay?.stop();
    await redis?.stop();
  });

  async function client(transports: string[]): Promise<RawClient> {
    const made = new RawClient({ url: relay.url, appKey: APP_KEY, transports });
    clients.push(made);
    await made.hello;
    await made.subscribe({ id: "s", topic: "T" });
    return made;
  }

  it("brings what is published once to each client once, whatever its worker and transport", async () => {
    const all = await Promise.all(
      [["websocket"], ["polling"], ["polling", "websocket"], ["websocket"], ["polling"], ["websocket"]].map(client),
    );
    for (let id = 1; id <= 20; id++) await emitter.site("5").publish("T", { id });
    for (const each of all) {
      await each.until(() => each.messages("T").length >= 20);
      expect(each.messages("T").map(([offset]) => offset)).to.deep.equal(Array.from({ length: 20 }, (_, i) => i + 1));
    }
  });

  it("goes on when a worker is killed, and starts another", async () => {
    const raw = redis.client();
    const alive = async (): Promise<string[]> => raw.zrangebyscore("bellwire:0:relays", Date.now(), "+inf");
    expect(await alive()).to.have.length(2);
    const pids = execFileSync("pgrep", ["-P", String(relay.pid)])
      .toString()
      .trim()
      .split("\n");
    process.kill(Number(pids[0]), "SIGKILL");
    while (new Set(await alive()).size < 3) await new Promise((resolve) => setTimeout(resolve, 50)); // the killed one's heartbeat is still to fade
    raw.disconnect();
    const after = await client(["websocket"]);
    const position = await emitter.site("5").publish("T", { id: 21 });
    await after.until(() => after.messages("T").length === 1);
    expect(after.messages("T")[0]?.[0]).to.equal(position?.offset);
  });
});

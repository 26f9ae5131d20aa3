import { readFileSync } from "node:fs";
import { expect } from "chai";
import { createEmitter, type EmitterOptions } from "@bellwire/emitter";
import { readConfig } from "@bellwire/server";
import { createTestRelay } from "@bellwire/server/testing";
import { ConfigFile } from "../faults/stores/config-file.js";
import { requires } from "../house/requires.js";
import { CA_FILE, TlsRedis, TlsSentinel } from "../support/redis-tls.js";
import { RawClient } from "../support/socket.js";

const tls = { ca: readFileSync(CA_FILE) };

describe("a Redis that speaks TLS only", () => {
  const toStop: { stop(): Promise<void> }[] = [];
  const started = <T extends { stop(): Promise<void> }>(one: T): T => {
    toStop.unshift(one);
    return one;
  };

  before(function () {
    requires("redis-server", this);
  });
  afterEach(async () => {
    for (const one of toStop.splice(0)) await one.stop();
  });

  /** A relay that is told of Redis by its file hears what an emitter publishes. */
  async function heard(file: object, redis: EmitterOptions["redis"], env: Readonly<Record<string, string>> = {}): Promise<void> {
    const config = await ConfigFile.write(file);
    const relay = await createTestRelay({ env: { ...config.env, ...env } });
    const client = new RawClient({ url: relay.url, appKey: relay.appKey, site: "5", claims: { sub: "ann" } });
    const emitter = createEmitter({ redis, timeout: 10_000, onError: () => undefined });
    try {
      await client.hello;
      await client.subscribe({ id: "1", topic: "T" });
      await emitter.site(5).publish("T", { id: 5 });
      await client.until(() => client.messages("T").length === 1);
      // Commands go over a channel of their own.
      const bye = new Promise((resolve) => client.socket.on("bye", resolve));
      await emitter.site(5).user("ann").disconnect();
      await bye;
    } finally {
      await emitter.close();
      client.close();
      await relay.close();
      await config.remove();
    }
  }

  it("is spoken to as a single server", async () => {
    const { port, password } = started(await TlsRedis.start());
    const common = { host: "127.0.0.1", port, password };
    await heard({ ...common, tls: { ca: CA_FILE } }, { ...common, tls });
  });

  it("is found by Sentinels that speak TLS, and the master is spoken to so", async () => {
    const master = started(await TlsRedis.start());
    const sentinel = started(await TlsSentinel.start(master, { tls: true }));
    const common = { sentinels: [{ host: "127.0.0.1", port: sentinel.port }], name: "main", password: master.password };
    await heard({ ...common, tls: { ca: CA_FILE } }, { ...common, tls });
  });

  it("is found by Sentinels that speak none, where they are said to", async () => {
    const master = started(await TlsRedis.start());
    const sentinel = started(await TlsSentinel.start(master, { tls: false }));
    const common = { sentinels: [{ host: "127.0.0.1", port: sentinel.port }], name: "main", password: master.password };
    await heard({ ...common, tls: { ca: CA_FILE }, sentinelTls: false }, { ...common, tls, sentinelTLS: undefined } as never);
  });

  it("is a Cluster, each node of which is spoken to so", async () => {
    const { port, password } = started(await TlsRedis.start({ cluster: true }));
    const nodes = [{ host: "127.0.0.1", port }];
    await heard({ nodes, password, tls: { ca: CA_FILE } }, { nodes, options: { password, tls } });
  });

  it("is meant wherever the URL begins with rediss://, beside Sentinels and nodes too", async () => {
    const common = { APP_KEY: "k".repeat(32), REDIS_URL: "rediss://ann:pw@h" };
    for (const file of [{ sentinels: [{ host: "s", port: 1 }], name: "main" }, { nodes: [{ host: "n", port: 1 }] }]) {
      const config = await ConfigFile.write(file);
      const target = readConfig({ ...common, ...config.env }).redis?.target as { options?: object };
      expect(target.options ?? target).to.deep.include({ tls: {}, username: "ann", password: "pw" });
      await config.remove();
    }
  });
});

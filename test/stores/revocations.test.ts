import { setTimeout as pause } from "node:timers/promises";
import { expect } from "chai";
import { connectCommands, Keys, RedisCommands, withRevokeCommands } from "@bellwire/emitter/redis";
import { parseCommand, type RevokeCommand } from "@bellwire/emitter/commands";
import { MemoryRevocations } from "../../server/src/stores/memory/revocations.js";
import { RedisRevocations } from "../../server/src/stores/redis/revocations.js";
import { Revocations } from "../../server/src/revocations/revocations.js";
import type { RevocationStore } from "../../server/src/stores/revocations.js";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";

const KEY = "bellwire:0:revocations";

function revoke(body: object, site = "5"): RevokeCommand {
  return parseCommand("revoke", site, body) as RevokeCommand;
}

/** One suite for every place where revocations are kept. */
function contract(
  name: string,
  open: () => Promise<{ store: RevocationStore; add: (command: RevokeCommand) => Promise<void>; close: () => unknown }>,
): void {
  describe(`revocations ${name}`, () => {
    let store: RevocationStore;
    let add: (command: RevokeCommand) => Promise<void>;
    let close: () => unknown;
    beforeEach(async () => {
      ({ store, add, close } = await open());
    });
    afterEach(() => close());

    it("are stored once for equal commands, under the latest time", async () => {
      const before = Date.now();
      await add(revoke({ user: "ann", topic: "T", filter: { b: [1], a: 2 } }));
      await add(revoke({ user: "bob" }));
      const first = await store.read(0, 0);
      await pause(3);
      await add(revoke({ filter: { a: 2, b: 1 }, topic: "T", user: "ann", session: undefined }));
      const { count, rows, now } = await store.read(0, 0);
      expect([first.count, first.rows.length, count]).to.deep.equal([2, 2, 2]);
      expect(rows.map(({ text }) => (JSON.parse(text) as { user: string }).user)).to.deep.equal(["bob", "ann"]);
      expect(rows.every(({ at }) => at >= before - 1000 && at <= now + 1)).to.equal(true);
    });

    it("are read from a time on, and in pages", async () => {
      for (const user of ["a", "b", "c"]) {
        await add(revoke({ user }));
        await pause(2);
      }
      const { rows } = await store.read(0, 0);
      expect((await store.read(rows[1]?.at as number, 0)).rows.map(({ text }) => text)).to.deep.equal(
        rows.slice(1).map(({ text }) => text),
      );
      expect((await store.read(0, 2)).rows).to.deep.equal(rows.slice(2));
    });

    it("are put back with their time", async () => {
      const at = Date.now() - 5000;
      await store.restore([{ text: '{"site":"5","user":"x"}', at }]);
      expect((await store.read(0, 0)).rows).to.deep.equal([{ text: '{"site":"5","user":"x"}', at }]);
    });

    it("are known to whoever reads them, in whatever order they come", async () => {
      const heard: string[] = [];
      const revocations = new Revocations({
        store,
        every: 60_000,
        onGarbage: () => undefined,
        onTrouble: (error) => heard.push(String(error)),
      });
      await add(revoke({ user: "ann" }));
      revocations.start((fresh) => heard.push(...[...fresh].map(({ text }) => text)));
      await revocations.current();
      expect([revocations.size, heard.length]).to.deep.equal([1, 1]);
      // Of an earlier time than what is known, as after a failover.
      await store.restore([{ text: '{"site":"5","user":"early"}', at: Date.now() - 60_000 }]);
      expect(await revocations.reread()).to.equal(true);
      expect(heard.at(-1)).to.contain("early");
      await revocations.reread();
      expect(heard, "nothing is told twice").to.have.length(2);
      revocations.stop();
    });
  });
}

contract("in memory", async () => {
  const store = new MemoryRevocations();
  return { store, add: async (command) => store.add(command), close: () => undefined };
});

describe("revocations kept in Redis are", () => {
  let redis: TestRedis;
  before(async function () {
    requires("redis-server", this);
    redis = await TestRedis.start();
  });
  after(() => redis?.stop());

  const open = async () => {
    const client = connectCommands(redis.url);
    client.on("error", () => undefined);
    const keys = new Keys();
    const commands = new RedisCommands(client, keys);
    const store = new RedisRevocations(client, keys);
    await store.read(0, 0);
    await client.flushall();
    return { client, store, add: (command: RevokeCommand) => commands.send(command, 2000), close: () => client.disconnect() };
  };

  contract("on Redis", open);

  it("bounded in number, and no older ones dropped", async () => {
    const { client, close } = await open();
    const script = withRevokeCommands(client);
    expect(await script.bellwireRevoke(KEY, "a", 1000, 1)).to.match(/^\d+$/);
    expect(await script.bellwireRevoke(KEY, "b", 1000, 1)).to.equal("full");
    expect(await script.bellwireRevoke(KEY, "a", 1000, 1)).to.match(/^\d+$/);
    expect(await client.zrange(KEY, "0", "-1")).to.deep.equal(["a"]);
    await pause(10);
    expect(await script.bellwireRevoke(KEY, "b", 5, 1), "the old one is of no use any more").to.match(/^\d+$/);
    close();
  });

  it("read by many pages, past garbage of any kind", async () => {
    const { client, store, close } = await open();
    const garbage: number[] = [];
    const troubles: unknown[] = [];
    const revocations = new Revocations({
      store,
      every: 60_000,
      onGarbage: (count) => garbage.push(count),
      onTrouble: (error) => troubles.push(error),
    });
    const at = Date.now();
    const texts = Array.from({ length: 12_000 }, (_, i) => `{"site":"5","user":"u${i}"}`);
    const rows: (string | number)[] = texts.flatMap((text) => [at, text]);
    rows.push(at, "garbage", at, "x".repeat(100_000), "+inf", "{}", -5, '{"a":1}');
    await client.zadd(KEY, ...rows);
    revocations.start(() => undefined);
    await revocations.current();
    expect([revocations.size, garbage, troubles]).to.deep.equal([12_000, [3], []]);
    await revocations.reread();
    expect(garbage, "counted once").to.deep.equal([3]);
    await client.del(KEY);
    await client.set(KEY, "of another type");
    expect(await revocations.reread()).to.equal(false);
    expect(revocations.size).to.equal(12_000);
    await client.del(KEY);
    expect(await revocations.reread()).to.equal(true);
    expect(await client.zcard(KEY), "put back").to.equal(12_000);
    revocations.stop();
    close();
  });
});

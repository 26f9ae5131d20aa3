import { expect } from "chai";
import { createLogger, type Logger } from "@bellwire/server";
import { publish, Stage } from "./stage.js";

/** A logger and the lines that it wrote. */
function logger(sentences: boolean): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  return { logger: createLogger({ sentences, write: (line) => lines.push(line) }), lines };
}

describe("the log", () => {
  const stage = Stage.forEachTest();
  const real = { now: Date.now, setInterval: globalThis.setInterval };
  afterEach(() => {
    Date.now = real.now;
    globalThis.setInterval = real.setInterval;
  });

  it("is sentences on a terminal", () => {
    const { logger: log, lines } = logger(true);
    log.listening(6200);
    log.redisConnected("127.0.0.1:6379");
    log.counts({ connections: 12, subscriptions: 34, cached: 56 });
    log.warn("Mind the gap");
    log.redisTrouble(new Error("gone"), "publish");
    expect(lines).to.deep.equal([
      "[realtime] WebSocket server listening on port 6200",
      "[realtime] Connected to Redis at 127.0.0.1:6379",
      "[realtime] Connections: 12, Subscriptions: 34, Cached messages: 56",
      "[realtime] Mind the gap",
      "[realtime] Redis (publish): gone",
    ]);
  });

  it("is the same as JSON elsewhere, with a level and the numbers as fields", () => {
    const { logger: log, lines } = logger(false);
    log.listening(6200);
    log.counts({ connections: 12, subscriptions: 34, cached: 56 });
    log.warn("Mind the gap");
    log.failure("socket", new Error("broken"));
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const entry of entries) expect(entry).to.include({ name: "realtime" }).and.to.have.property("time");
    expect(entries[0]).to.include({ level: "info", msg: "WebSocket server listening on port 6200", port: 6200 });
    expect(entries[1]).to.include({ level: "info", connections: 12, subscriptions: 34, cached: 56 });
    expect(entries[1]?.msg).to.equal("Connections: 12, Subscriptions: 34, Cached messages: 56");
    expect(entries[2]).to.include({ level: "warn", msg: "Mind the gap" });
    expect(entries[3]).to.include({ level: "error", msg: "socket: broken" });
    expect(entries[3]?.stack).to.match(/logger\.test/);
  });

  it("goes by whether standard output is a terminal, unless told", () => {
    const before = Object.getOwnPropertyDescriptor(process.stdout, "isTTY");
    try {
      for (const isTTY of [true, false]) {
        Object.defineProperty(process.stdout, "isTTY", { value: isTTY, configurable: true });
        const lines: string[] = [];
        createLogger({ write: (line) => lines.push(line) }).info("Hello");
        expect(lines[0]?.startsWith(isTTY ? "[realtime] Hello" : "{"), String(isTTY)).to.equal(true);
      }
    } finally {
      if (before === undefined) delete (process.stdout as { isTTY?: boolean }).isTTY;
      else Object.defineProperty(process.stdout, "isTTY", before);
    }
  });

  it("repeats a warning of the same words once a minute at most", () => {
    let time = Date.now();
    Date.now = () => time;
    const { logger: log, lines } = logger(true);
    for (let i = 0; i < 100; i++) log.redisTrouble(new Error("gone"), "connect");
    log.redisTrouble(new Error("gone"), "publish");
    expect(lines).to.have.length(2);
    time += 59_000;
    log.redisTrouble(new Error("gone"), "connect");
    expect(lines).to.have.length(2);
    time += 1000;
    log.redisTrouble(new Error("gone"), "connect");
    expect(lines).to.have.length(3);
  });

  it("keeps foreign text in one line, short and without control characters", () => {
    const { logger: log, lines } = logger(true);
    log.originRefused(`https://a.example\r\n[realtime] All is well\u001b[2J${"x".repeat(10_000)}`, []);
    log.redisTrouble(new Error("first\nsecond"), "connect");
    for (const line of lines) {
      // eslint-disable-next-line no-control-regex
      expect(line).not.to.match(/[\u0000-\u001f]/);
      expect(line.length).to.be.below(1000);
    }
  });

  it("has a line of counts each minute while somebody is connected, and says where the relay listens", async () => {
    const everyMinute: (() => void)[] = [];
    globalThis.setInterval = ((run: () => void, ms: number) => {
      if (ms === 60_000) everyMinute.push(run);
      return real.setInterval(run, ms);
    }) as typeof setInterval;
    const minute = (): void => everyMinute.forEach((run) => run());
    const lines: string[] = [];
    const relay = await stage.relay({ onLog: (line) => lines.push(line) });
    expect(lines).to.deep.equal([`[realtime] WebSocket server listening on port ${relay.port}`]);
    minute();
    expect(lines).to.have.length(1);
    const clients = [await stage.connect(relay), await stage.connect(relay)];
    for (const client of clients) await client.subscribe({ id: "1", topic: "news" }, { id: "2", topic: "other" });
    await clients[0]?.subscribe({ id: "3", topic: "news", filter: { id: 1 } });
    for (let id = 0; id < 3; id++) await publish(relay, "news", { id });
    await clients[0]?.until(() => clients[0]?.messages("news").length === 3);
    minute();
    expect(lines.slice(1)).to.deep.equal(["[realtime] Connections: 2, Subscriptions: 5, Cached messages: 3"]);
  });

  describe("in development", () => {
    it("hints once that nothing but a type kept a message from a filter", async () => {
      const lines: string[] = [];
      const relay = await stage.relay({ onLog: (line) => lines.push(line) });
      const client = await stage.connect(relay);
      await client.subscribe(
        { id: "1", topic: "news", filter: { id: [5, 7] } },
        { id: "2", topic: "flags", filter: { on: "true", id: 1 } },
        { id: "3", topic: "end" },
      );
      const hints = async (): Promise<string[]> => {
        const before = client.messages("end").length;
        await publish(relay, "end", {});
        await client.until(() => client.messages("end").length > before);
        return lines.filter((line) => /strict/.test(line));
      };
      for (const data of [{ id: 5 }, { id: 6 }, { id: "6" }, { id: "05" }, { id: "" }, { id: null }, { id: [5] }, {}])
        await publish(relay, "news", data);
      await publish(relay, "flags", { on: true, id: 2 });
      expect(await hints()).to.deep.equal([]);
      for (const id of ["5", "5", "7"]) await publish(relay, "news", { id });
      expect(await hints()).to.deep.equal([
        '[realtime] news: a message with id = "5" was not heard by a subscription that asks for 5: filters compare strictly, string is not number',
      ]);
      await publish(relay, "flags", { on: true, id: 1 });
      expect(await hints()).to.have.length(2);
      expect((await hints())[1]).to.match(/flags: a message with on = true .* asks for "true".* boolean is not string/);
    });
  });

  it("has no hints in production", async () => {
    const lines: string[] = [];
    const relay = await stage.relay({ onLog: (line) => lines.push(line), env: { NODE_ENV: "production", REALTIME_LOG: "memory" } });
    const client = await stage.connect(relay);
    await client.subscribe({ id: "1", topic: "news", filter: { id: 5 } });
    await publish(relay, "news", { id: "5" });
    await publish(relay, "news", { id: 5 });
    await client.until(() => client.messages("news").length === 1);
    expect(lines.filter((line) => /strict/.test(line))).to.deep.equal([]);
  });
});

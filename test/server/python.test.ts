import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import type { SubscribeResult } from "@bellwire/protocol";
import type { TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";
import { publish, Stage, subscribed } from "./stage.js";

const script = fileURLToPath(new URL("python/listen.py", import.meta.url));

interface Line {
  readonly event: "hello" | "message" | "refused" | "subscribed" | "unsubscribed";
  readonly [field: string]: unknown;
}

describe("Python's socketio, with nothing but the contract", function () {
  this.timeout(30_000);
  const stage = Stage.forEachTest();
  let python = "";

  before(function () {
    python = requires("python3-socketio", this);
  });

  /** The script's lines as they come; it ends with its input. */
  class Listener {
    readonly lines: Line[] = [];
    readonly #process: ChildProcess;
    #look = (): void => undefined;
    #errors = "";

    constructor(relay: TestRelay, settings: object) {
      const { httpUrl: url, appKey: key } = relay;
      this.#process = spawn(python, [script, JSON.stringify({ url, key, site: "5", claims: { sub: "ann" }, ...settings })]);
      const { stdout, stderr } = this.#process;
      stderr?.on("data", (data: Buffer) => (this.#errors += data.toString()));
      if (stdout === null) throw new Error("No output");
      createInterface(stdout).on("line", (line) => {
        this.lines.push(JSON.parse(line) as Line);
        this.#look();
      });
      this.#process.once("close", () => this.#look());
      stage.closeLater(() => this.#process.kill("SIGKILL"));
    }

    async until(test: (line: Line) => boolean): Promise<Line> {
      return new Promise((resolve, reject) => {
        this.#look = () => {
          const found = this.lines.find(test);
          if (found !== undefined) resolve(found);
          else if (this.#process.exitCode !== null) reject(new Error(`Python ended: ${JSON.stringify(this.lines)}${this.#errors}`));
        };
        this.#look();
      });
    }

    async end(): Promise<void> {
      const closed = once(this.#process, "close");
      this.#process.stdin?.end();
      await closed;
      expect(this.#process.exitCode, this.#errors).to.equal(0);
    }
  }

  for (const transport of ["websocket", "polling"]) {
    it(`hears by ${transport} what its filters match, and nothing of another topic or site`, async () => {
      const relay = await stage.relay();
      const { epoch } = await publish(relay, "contacts", { id: 5, change: 0 });
      const subscriptions = [
        { id: "five", topic: "contacts", filter: { id: 5 } },
        { id: "some", topic: "contacts", filter: { id: [7, 8], type: "person" } },
        { id: "end", topic: "end" },
      ];
      const listener = new Listener(relay, { subscriptions, transports: [transport] });
      const { results } = await listener.until(({ event }) => event === "subscribed");
      expect(listener.lines[0]).to.deep.equal({ event: "hello", user: "ann", version: 1 });
      const [five, some] = (results as SubscribeResult[]).map(subscribed);
      expect(five).to.deep.include({ id: "five", epoch, offset: 1, resync: false });
      expect(five?.messages.map(([, , data]) => data)).to.deep.equal([{ id: 5, change: 0 }]);
      expect(some?.messages).to.deep.equal([]);

      const matching = [
        { id: 5, change: 1 },
        { id: 8, type: "person" },
        { id: 5, name: "Zoë 😀", nested: { list: [1, null] } },
      ];
      const other = [{ id: "5" }, { id: 6 }, { id: 8 }, { id: 8, type: "firm" }, {}, { id: null }];
      for (const data of [...other, ...matching.slice(0, 2), ...other, ...matching.slice(2)]) await publish(relay, "contacts", data);
      for (const data of matching) {
        await publish(relay, "contacts", data, {}, "6");
        await publish(relay, "people", data);
      }
      await publish(relay, "end", {});
      await listener.until(({ event, topic }) => event === "message" && topic === "end");
      const heard = listener.lines.filter(({ event, topic }) => event === "message" && topic !== "end");
      expect(heard.map(({ topic, data }) => [topic, data])).to.deep.equal(matching.map((data) => ["contacts", data]));
      expect(heard.map((line) => line.offset)).to.deep.equal([8, 9, 16]);
      expect(new Set(heard.map((line) => line.epoch))).to.deep.equal(new Set([epoch]));
      await listener.end();
      expect(listener.lines.at(-1)).to.deep.equal({ event: "unsubscribed", answer: {} });
    });
  }

  it("is refused with the contract's error", async () => {
    const relay = await stage.relay();
    const cases: [settings: object, code: string][] = [
      [{ key: "another key, also of thirty-two bytes or more" }, "token-invalid"],
      [{ claims: { sub: "ann", site: "6" } }, "wrong-site"],
      [{ claims: { sub: "ann", exp: 1 } }, "token-expired"],
      [{ namespace: "/" }, "forbidden"],
    ];
    await Promise.all(
      cases.map(async ([settings, code]) => {
        const listener = new Listener(relay, { ...settings, subscriptions: [] });
        const { error } = await listener.until(({ event }) => event === "refused");
        expect(error).to.have.nested.property("data.code", code);
        await listener.end();
      }),
    );
  });
});

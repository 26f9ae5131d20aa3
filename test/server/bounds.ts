import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { RawClient, type RawOptions } from "../support/socket.js";
import type { Address } from "./hostile-relay.js";
import type { Spent } from "./bounds-relay.js";
import { request } from "./stage.js";

/** What a turn of the relay may take while a machine with two cores runs other tests, too; milliseconds. */
export const LONGEST_STALL_MS = 250;

const PUBLISH_EVERY_MS = 20;

/** A relay in another process, which one site's clients attack while a client of another site listens. */
export class Attacked {
  readonly address: Address;
  readonly #child: ChildProcess;
  readonly #clients: RawClient[] = [];
  #published = 0;

  private constructor(child: ChildProcess, address: Address) {
    this.#child = child;
    this.address = address;
  }

  static async start(env: NodeJS.ProcessEnv = {}): Promise<Attacked> {
    const child = fork(fileURLToPath(new URL("bounds-relay.ts", import.meta.url)), {
      execArgv: ["--import=tsx", "--conditions=source"],
      env: { PATH: process.env.PATH, ...env },
    });
    const [address] = (await once(child, "message")) as [Address];
    return new Attacked(child, address);
  }

  /** A client that has been admitted; unless said otherwise it may subscribe to everything on the attacker's site. */
  async connect(options: Partial<RawOptions> = {}): Promise<RawClient> {
    const { url, appKey } = this.address;
    const client = new RawClient({ url, appKey, site: "attacker", claims: { grants: [{ topic: "*" }] }, ...options });
    this.#clients.push(client);
    await client.hello;
    return client;
  }

  /** What the relay has spent. @param anew begins to count anew */
  async spent(anew = false): Promise<Spent> {
    this.#child.send(anew);
    const ended = once(this.#child, "exit").then(([code, signal]) => {
      throw new Error(`The relay ended: ${code ?? signal}`);
    });
    return (await Promise.race([once(this.#child, "message"), ended]))[0] as Spent;
  }

  async publish(site: string, messages: readonly { topic: string; data: object }[]): Promise<void> {
    const headers = { authorization: `Bearer ${this.address.apiKey}`, "content-type": "application/json" };
    const body = JSON.stringify({ messages });
    const { status, text } = await request(`${this.address.httpUrl}/v1/sites/${site}/publish`, { method: "POST", headers, body });
    expect(status, text).to.equal(200);
  }

  /**
   * Runs an attack while a client of another site hears a message every 20 ms. It must hear all of them, in order, and the relay
   * must not have stood still for longer than `LONGEST_STALL_MS`.
   */
  async during(attack: () => Promise<unknown>): Promise<Spent> {
    const witness = await this.connect({ site: "witness", claims: { sub: "bob" } });
    await witness.subscribe({ id: "1", topic: "news", replay: false });
    const from = this.#published;
    await this.spent(true);
    let over = false;
    const publishing = (async () => {
      while (!over) {
        await this.publish("witness", [{ topic: "news", data: { n: this.#published } }]);
        this.#published++;
        await pause(PUBLISH_EVERY_MS);
      }
    })();
    try {
      await attack();
    } finally {
      over = true;
    }
    await publishing;
    const spent = await this.spent();
    await witness.until(() => witness.messages("news").length >= this.#published - from);
    const heard = witness.messages("news").map(([, , data]) => data.n);
    expect(heard, "what another site's client heard").to.deep.equal(Array.from({ length: this.#published - from }, (_, n) => from + n));
    expect(witness.resyncs).to.deep.equal([]);
    expect(spent.stall, "the longest turn").to.be.below(LONGEST_STALL_MS);
    return spent;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}

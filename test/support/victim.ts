import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { RawClient } from "./socket.js";
import type { VictimAddress, VictimState } from "./victim-relay.js";

const SITE = "innocent";
const PUBLISH_EVERY_MS = 50;

/** A relay under attack in a process of its own, and a client of another site, who has to hear everything meanwhile. */
export class Victim {
  readonly address: VictimAddress;
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #witness: RawClient;
  #published = 0;

  private constructor(child: ChildProcess, address: VictimAddress) {
    this.#child = child;
    this.address = address;
    this.#witness = new RawClient({ url: address.url, appKey: address.appKey, site: SITE, claims: { sub: "witness" } });
    child.stderr?.on("data", (data: Buffer) => this.lines.push(...data.toString().trimEnd().split("\n")));
  }

  /** @param env the relay's settings */
  static async start(env: Readonly<Record<string, string>> = {}): Promise<Victim> {
    const child = fork(fileURLToPath(new URL("victim-relay.ts", import.meta.url)), {
      execArgv: ["--import=tsx", "--conditions=source"],
      env: { PATH: process.env.PATH, VICTIM_ENV: JSON.stringify(env) },
      stdio: ["ignore", "inherit", "pipe", "ipc"],
    });
    const [address] = (await once(child, "message")) as [VictimAddress];
    const victim = new Victim(child, address);
    await victim.#witness.hello;
    await victim.#witness.subscribe({ id: "1", topic: "news", replay: false });
    await victim.#publish();
    await victim.state();
    return victim;
  }

  get port(): number {
    return Number(new URL(this.address.url).port);
  }

  /** How it has been since it was asked last. */
  async state(): Promise<VictimState> {
    const answer = once(this.#child, "message") as Promise<[VictimState]>;
    this.#child.send({});
    return (await answer)[0];
  }

  /**
   * Publishes to the witness again and again while an attack goes on, and sees to it that all of it arrives.
   * @returns how the relay was meanwhile; `grown`: bytes of memory at its peak, beyond those before
   */
  async under(attack: () => Promise<unknown>): Promise<VictimState & { readonly grown: number }> {
    const { peak: before } = await this.state();
    let over = false;
    const publishing = (async () => {
      for (; !over; await pause(PUBLISH_EVERY_MS)) await this.#publish();
    })();
    try {
      await attack();
    } finally {
      over = true;
    }
    await publishing;
    await this.#witness.until(() => this.#witness.messages("news").length === this.#published);
    const state = await this.state();
    expect(this.#witness.messages("news").map(([, , data]) => data.n)).to.deep.equal(Array.from({ length: this.#published }, (_, n) => n));
    expect(this.#witness.socket.connected, "the witness is still connected").to.equal(true);
    return { ...state, grown: state.peak - before };
  }

  async #publish(): Promise<void> {
    const { httpUrl, apiKey } = this.address;
    const response = await fetch(`${httpUrl}/v1/sites/${SITE}/publish`, {
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ topic: "news", data: { n: this.#published } }),
    });
    expect(response.status).to.equal(200);
    await response.arrayBuffer();
    this.#published++;
  }

  async close(): Promise<void> {
    this.#witness.close();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}

/** Turns of the event loop may take so long on a busy machine, milliseconds. */
export const LONGEST_STALL_MS = 250;

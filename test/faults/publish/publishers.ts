import { createEmitter, type BellwireError, type Emitter, type EmitterOptions } from "@bellwire/emitter";
import type { Ledger, Publication } from "../ledger.js";
import { allKeys, drawKeys, type Plan } from "../plan.js";
import { sleep, type Random } from "../random.js";

/** A publish answers within 5 s, whatever happens; the rest is for a machine that is busy with other worlds. */
const ANSWER_WITHIN = 5900;
/** What a publish may be told while things break. */
const EXCUSES: ReadonlySet<string> = new Set(["unavailable", "limit"]);

/** Publishes numbered messages through any number of emitters, and enters what became of each in the ledger. */
export class Publishers {
  readonly #emitters: Emitter[] = [];
  readonly #ledger: Ledger;
  readonly #plan: Plan;
  readonly #random: Random;
  readonly #pending = new Set<Promise<unknown>>();
  #busy = false;
  #keys = 0;
  /** Answers that said "unavailable": the outcome is unknown. */
  unknown = 0;

  constructor(ledger: Ledger, plan: Plan, random: Random) {
    this.#ledger = ledger;
    this.#plan = plan;
    this.#random = random;
  }

  add(options: EmitterOptions): void {
    this.#emitters.push(createEmitter({ onNoRelay: () => undefined, onError: () => undefined, ...options }));
  }

  /** One message. Resolves when its outcome is entered; never rejects. */
  publish(site: string, topic: string, keys: Readonly<Record<string, unknown>> = drawKeys(this.#random)): Promise<void> {
    const work = this.#publish(this.#random.pick(this.#emitters), this.#ledger.begin(site, topic, keys)).finally(() =>
      this.#pending.delete(work),
    );
    this.#pending.add(work);
    return work;
  }

  async #publish(emitter: Emitter, publication: Publication): Promise<void> {
    const { content, started } = publication;
    const idempotencyKey = this.#random.chance(0.3) ? `${this.#ledger.world} ${this.#keys++}` : undefined;
    for (let again = 0; ; again++) {
      const began = Date.now();
      try {
        const place = await emitter.site(content.site).publish(content.topic, content, { idempotencyKey });
        return this.#ledger.settle(publication, place ?? undefined);
      } catch (error) {
        const { code, message } = error as BellwireError;
        const took = Date.now() - began;
        if (took > ANSWER_WITHIN) this.#ledger.complaints.push(`publish ${content.n} took ${took} ms to answer ${code}`);
        if (!EXCUSES.has(code)) this.#ledger.complaints.push(`publish ${content.n} was answered ${code}: ${message}`);
        this.unknown++;
        // As documented: outcome unknown, so again with the same key; without a key it stays unknown.
        if (idempotencyKey === undefined || again >= 5 || Date.now() - started > 60_000) return this.#ledger.settle(publication, undefined);
      }
    }
  }

  /** Publishes to busy topics until `rest`. */
  async work(perSecond: number): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#busy) {
      void this.publish(this.#random.pick(this.#plan.sites), this.#random.pick(this.#plan.busy));
      await sleep((1000 / perSecond) * 2 * this.#random.next());
    }
  }

  rest(): void {
    this.#busy = false;
  }

  /** Publishes to every topic what each filter there matches some of. */
  async all(topics: readonly string[]): Promise<void> {
    await Promise.all(
      this.#plan.sites.flatMap((site) => topics.flatMap((topic) => allKeys().map((keys) => this.publish(site, topic, keys)))),
    );
  }

  /** Resolves once every publish under way has its outcome. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  async close(): Promise<void> {
    this.rest();
    await Promise.all(this.#emitters.map((emitter) => emitter.close()));
  }
}

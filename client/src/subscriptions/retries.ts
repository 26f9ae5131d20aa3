import type { Backoff } from "../connection/backoff.js";
import { ClientError, errorOf } from "../errors.js";
import type { Report } from "../invoke.js";
import { backgroundTimeout } from "../timers.js";
import type { WireSubscription } from "./wire-subscription.js";

export type Refusal = readonly [wire: WireSubscription, error: ClientError];

export interface RetriesParts {
  readonly backoff: Backoff;
  readonly report: Report;
  /** Whether a refused token can be replaced by another. */
  readonly renewable: boolean;
  /** Refused for good. */
  fail(wire: WireSubscription, error: ClientError): void;
  /** Some are `wanted` again. */
  again(): void;
}

/** Decides what becomes of refused subscriptions. Those refused together try again together, in one frame. */
export class Retries {
  readonly #parts: RetriesParts;
  /** The batch that a waiting one belongs to: a timer of an earlier wait must not wake it. */
  readonly #waiting = new WeakMap<WireSubscription, object>();

  constructor(parts: RetriesParts) {
    this.#parts = parts;
  }

  /** A request to subscribe was refused. */
  refused(refusals: readonly Refusal[]): void {
    const later: Refusal[] = [];
    let again = false;
    for (const refusal of refusals) {
      const [wire, error] = refusal;
      if (error.retry !== "refresh") {
        later.push(refusal);
        continue;
      }
      const replaceable = this.#parts.renewable || wire.ticket !== undefined;
      this.#dropCredentials(wire);
      if (!replaceable) {
        const message = `${error.message}; there is no way to get a token`;
        this.#parts.fail(wire, new ClientError({ ...error, message, retry: "never" }, error, wire.topic));
      } else if (wire.attempts === 0) {
        // Tokens and tickets run out: no reason to wait the first time.
        wire.attempts = 1;
        wire.status = "wanted";
        again = true;
      } else later.push(refusal);
    }
    this.#later(later);
    if (again) this.#parts.again();
  }

  /** The relay ended one that it had confirmed. Never at once, or two sides could keep each other busy. */
  ended(wire: WireSubscription, error: ClientError): void {
    if (error.retry === "refresh") this.#dropCredentials(wire);
    this.#later([[wire, error]]);
  }

  #later(refusals: readonly Refusal[]): void {
    const batch = {};
    let attempt = 0;
    let after = 0;
    const told = new Set<string>();
    for (const [wire, refusal] of refusals) {
      const error = errorOf(wire.topic, refusal);
      if (error.retry === "never") {
        this.#parts.fail(wire, error);
        continue;
      }
      wire.status = "waiting";
      wire.error = error;
      attempt = Math.max(attempt, wire.attempts++);
      after = Math.max(after, error.after ?? 0);
      this.#waiting.set(wire, batch);
    }
    const wires = refusals.map(([wire]) => wire).filter((wire) => this.#waiting.get(wire) === batch);
    if (wires.length === 0) return;
    for (const { topic, error } of wires) {
      const what = `${topic} ${error?.code}`;
      if (!told.has(what)) this.#parts.report(error);
      told.add(what);
    }
    backgroundTimeout(
      () => {
        for (const wire of wires) if (wire.status === "waiting" && this.#waiting.get(wire) === batch) wire.status = "wanted";
        this.#parts.again();
      },
      this.#parts.backoff(attempt, after),
    );
  }

  #dropCredentials(wire: WireSubscription): void {
    wire.ticket = undefined;
    wire.dropTokens();
  }
}

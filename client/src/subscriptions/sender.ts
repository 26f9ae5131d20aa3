import { asObject, type JsonObject } from "@bellwire/protocol";
import type { Link } from "../connection/link.js";
import { grace } from "../connection/schedule.js";
import { ClientError, toClientError } from "../errors.js";
import { backgroundTimeout } from "../timers.js";
import type { TokenSource } from "../tokens/token-source.js";
import { batches } from "./batches.js";
import { createClaim, type Claim } from "./claim.js";
import type { Registry } from "./registry.js";
import type { Refusal, Retries } from "./retries.js";
import { itemLength, requestLength, toItem } from "./subscribe-item.js";
import type { WireSubscription } from "./wire-subscription.js";

/** Milliseconds that the relay has for the ack. */
const ACK_TIMEOUT = 10_000;

export interface SenderParts {
  readonly registry: Registry;
  readonly retries: Retries;
  readonly subscriptions: TokenSource["subscriptions"];
  /** Something waits for a connection. */
  demand(): void;
  /** A subscription of this topic is confirmed. */
  whole(topic: string): void;
}

/** Sends what is wanted: the subscriptions of one tick with one token request in one frame, and likewise for their ends. */
export class Sender {
  readonly #parts: SenderParts;
  #link: Link | undefined;
  #unsubscribes: string[] = [];
  #scheduled = false;
  /** Token requests under way, and since when. */
  readonly #asks = new Map<AbortController, number>();

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  /** Sends at the end of this tick. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setTimeout(() => {
      this.#scheduled = false;
      this.#flush();
    }, 0);
  }

  up(link: Link): void {
    this.#link = link;
    this.#parts.registry.prune();
    this.#flush();
  }

  /** What was under way on the connection is to be sent anew; tokens are too short-lived to keep. */
  down(): void {
    this.#link = undefined;
    this.#unsubscribes = [];
    for (const wire of this.#parts.registry.all()) {
      if (wire.status === "asking") continue;
      wire.status = "wanted";
      wire.dropTokens();
    }
  }

  /** The network or the page is back: a token request that hangs is made anew. */
  wake(): void {
    for (const [control, begun] of this.#asks) backgroundTimeout(() => control.abort(), grace(begun));
  }

  unsubscribe(id: string): void {
    if (this.#link === undefined) return;
    this.#unsubscribes.push(id);
    this.schedule();
  }

  /** Takes those in charge that lack a token, as many as one token can cover. */
  claim(): Claim {
    return this.#claim(this.#requests(this.#wanted().lacking)[0] ?? []);
  }

  #claim(wires: readonly WireSubscription[]): Claim {
    return createClaim(wires, (refusals) => {
      this.#parts.retries.refused(refusals);
      if (refusals.length < wires.length) this.#flush();
    });
  }

  #wanted(): { lacking: WireSubscription[]; complete: WireSubscription[] } {
    const lacking: WireSubscription[] = [];
    const complete: WireSubscription[] = [];
    for (const wire of this.#parts.registry.all()) {
      if (wire.status !== "wanted" || wire.hearers.size === 0) continue;
      const isComplete = this.#parts.subscriptions === undefined || wire.asked || wire.ticket !== undefined;
      (isComplete ? complete : lacking).push(wire);
    }
    return { lacking, complete };
  }

  #flush(): void {
    const link = this.#link;
    const { lacking, complete } = this.#wanted();
    if (link === undefined) {
      if (lacking.length + complete.length > 0) this.#parts.demand();
      return;
    }
    for (const ids of batches(this.#unsubscribes.splice(0), link.frame, (id) => id.length)) {
      link.request("unsubscribe", ids, ACK_TIMEOUT, () => {});
    }
    for (const batch of this.#requests(lacking)) void this.#ask(batch);
    for (const batch of batches(complete, link.frame, itemLength)) this.#send(link, batch);
  }

  #requests(lacking: readonly WireSubscription[]): WireSubscription[][] {
    const { subscriptions } = this.#parts;
    return subscriptions === undefined ? [] : batches(lacking, subscriptions.most, requestLength);
  }

  async #ask(wires: readonly WireSubscription[]): Promise<void> {
    const claim = this.#claim(wires);
    const control = new AbortController();
    this.#asks.set(control, Date.now());
    try {
      claim.settle(await this.#parts.subscriptions?.ask(claim.requests, control.signal));
    } catch (thrown) {
      if (control.signal.aborted) claim.settle(undefined);
      else claim.fail(toClientError(thrown, "No subscribe token"));
    } finally {
      this.#asks.delete(control);
    }
  }

  #send(link: Link, wires: readonly WireSubscription[]): void {
    for (const wire of wires) wire.sent();
    link.request("subscribe", wires.map(toItem), ACK_TIMEOUT, (error, reply) => {
      // Then all of it is sent anew, on the next link.
      if (link.isDown) return;
      if (error !== undefined && reply.error === undefined) this.#forgetIds(wires);
      this.#settle(
        wires,
        reply,
        error ?? new ClientError({ code: "internal", message: "The relay's answer leaves this subscription out" }),
      );
    });
  }

  /** No answer may still mean success, so the old ids are ended before new ones are tried. */
  #forgetIds(wires: readonly WireSubscription[]): void {
    for (const wire of wires) {
      this.unsubscribe(wire.id);
      this.#parts.registry.rename(wire);
    }
  }

  #settle(wires: readonly WireSubscription[], reply: JsonObject, missing: ClientError): void {
    const results = new Map<unknown, JsonObject>();
    for (const item of Array.isArray(reply.results) ? reply.results : []) {
      const result = asObject(item);
      if (result !== undefined) results.set(result.id, result);
    }
    const refusals: Refusal[] = [];
    for (const wire of wires) {
      const result = results.get(wire.id);
      if (result === undefined) refusals.push([wire, missing]);
      else if (result.error !== undefined) refusals.push([wire, new ClientError(result.error)]);
      else {
        this.#parts.whole(wire.topic);
        wire.acked(result);
      }
    }
    this.#parts.retries.refused(refusals);
    for (const wire of wires) this.#parts.registry.settle(wire);
  }
}

import type { Socket } from "socket.io";
import type { BellwireError } from "@bellwire/protocol";
import { endQuietly, loseTransport } from "./engine-internals.js";

type Client = Socket["client"];

/** Milliseconds, from and to. A new token may do at once; where there is no room, the whole crowd must not be back in a second. */
const MOMENTS = { refresh: [1000, 3000], later: [3000, 6000] } as const;
/** socket.io closes what has entered nothing after 10 s, in an order that is final for some: this has to come before. */
const LONGEST_AFTER_MS = 3000;
const FAREWELL_MS = 1000;

/**
 * When a refused client loses its transport: in milliseconds from the refusal, spread, since libraries come back about a second
 * after it and know no backoff for a transport that opens well. Undefined: not at all.
 * @param random from 0 to 1
 */
export function momentOf({ retry, after = 0 }: Pick<BellwireError, "retry" | "after">, random: number): number | undefined {
  if (retry === "never") return undefined;
  const [from, to] = MOMENTS[retry === "refresh" ? "refresh" : "later"];
  return from + random * (to - from) + Math.min(after, LONGEST_AFTER_MS);
}

/**
 * Brings refused clients back. Many libraries do nothing after a connect error while their transport is up, and reconnect when
 * it is lost. Whoever asks again before that, and is let in, stays.
 */
export class Refusals {
  readonly #leaving = new WeakSet<Client>();
  readonly #entered: (client: Client) => boolean;
  readonly #random: () => number;

  /** @param entered whether a client is in a site, or on the way into one */
  constructor(entered: (client: Client) => boolean, random: () => number = Math.random) {
    this.#entered = entered;
    this.#random = random;
  }

  /** A client may be refused many times on one transport: it loses it by the first. */
  add(client: Client, error: BellwireError): void {
    const { conn } = client;
    const moment = momentOf(error, this.#random());
    if (moment === undefined || this.#leaving.has(client) || this.#entered(client)) return;
    this.#leaving.add(client);
    endQuietly(conn);
    const gone = (): void => clearTimeout(timer);
    const timer = setTimeout(() => {
      conn.removeListener("close", gone);
      this.#leaving.delete(client);
      if (!this.#entered(client)) loseTransport(conn, FAREWELL_MS);
    }, moment);
    timer.unref();
    conn.once("close", gone);
  }
}

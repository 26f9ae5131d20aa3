import type { Auth } from "@bellwire/protocol";
import type { SubscriptionRequest } from "../options.js";
import type { ConnectionAnswer, GrantsAnswer, TokenSource } from "../tokens/token-source.js";
import { targetOf, type Target } from "./target.js";

/**
 * After so many attempts in a row that came to nothing the backend is asked where the relay is now: a ticket leads to the old one for
 * ever. Then after four times as many, and so on, since a whole fleet asks.
 */
const LOST_WAY = 5;
const LOST_AGAIN = 4;

export interface HandshakeParts {
  readonly tokens: TokenSource;
  readonly url: string | undefined;
  readonly site: string | undefined;
  /** What a relative url is relative to. */
  readonly base: string | undefined;
  /** Subscriptions that wait for a token: the same request may bring it. `settle` is called once. */
  claim(): { readonly requests: readonly SubscriptionRequest[]; settle(answer: GrantsAnswer | undefined): void };
}

/** Where an attempt goes, and as whom. */
export interface Way {
  readonly target: Target;
  readonly credential: Pick<Auth, "token" | "ticket">;
}

/** Prepares attempts: with the relay's ticket where there is one, so that a return asks nothing of the backend; else with a token. */
export class Handshake {
  ticket: string | undefined;
  readonly #parts: HandshakeParts;
  #target: Target | undefined;
  #missed = 0;
  #askAt = LOST_WAY;

  constructor(parts: HandshakeParts) {
    this.#parts = parts;
  }

  /** Where the last attempt went. */
  get namespace(): string {
    return this.#target?.namespace ?? "";
  }

  /** The relay said hello. */
  arrived(ticket: string | undefined): void {
    this.ticket = ticket;
    this.#missed = 0;
    this.#askAt = LOST_WAY;
  }

  /** An attempt came to nothing. */
  missed(): void {
    this.#missed++;
  }

  /**
   * Returns a sentence where the backend says `off`.
   * @param signal aborted once the attempt is given up: an answer that comes in later is not used
   * @throws what the token source throws; BellwireError where url or site can't be
   */
  async prepare(signal: AbortSignal): Promise<Way | string> {
    const known = this.#target;
    const { ticket } = this;
    if (ticket === undefined || known === undefined) return this.#ask(signal);
    if (!this.#isLost()) return { target: known, credential: { ticket } };
    // Whatever the backend says, or does not: the ticket holds, and its relay may be back.
    const way = await this.#ask(signal).catch(() => undefined);
    if (!signal.aborted) this.#askAt *= LOST_AGAIN;
    if (typeof way !== "object") return { target: known, credential: { ticket } };
    return way.target.namespace === known.namespace && this.ticket === ticket ? { ...way, credential: { ticket } } : way;
  }

  #isLost(): boolean {
    return this.#missed >= this.#askAt && this.#parts.url === undefined && this.#parts.tokens.renewable;
  }

  async #ask(signal: AbortSignal): Promise<Way | string> {
    const { tokens, claim, url, site, base } = this.#parts;
    const claimed = claim();
    let answer: ConnectionAnswer = {};
    try {
      answer = await tokens.connection(claimed.requests, signal);
      if (answer.off !== undefined) return answer.off;
      const target = targetOf(url ?? answer.url, site ?? answer.site, base);
      if (!signal.aborted) this.#target = target;
      return { target, credential: answer.token === undefined ? {} : { token: answer.token } };
    } finally {
      claimed.settle(signal.aborted ? undefined : answer.grants);
    }
  }
}

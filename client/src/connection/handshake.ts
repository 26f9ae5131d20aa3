import type { Auth } from "@bellwire/protocol";
import type { SubscriptionRequest } from "../options.js";
import type { GrantsAnswer, TokenSource } from "../tokens/token-source.js";
import { targetOf, type Target } from "./target.js";

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

  constructor(parts: HandshakeParts) {
    this.#parts = parts;
  }

  /**
   * Returns undefined where the backend says `off`.
   * @param isCurrent false once the attempt is given up: an answer that comes in later is not used
   * @throws what the token source throws; BellwireError where url or site can't be
   */
  async prepare(isCurrent: () => boolean): Promise<Way | undefined> {
    const { ticket } = this;
    if (ticket !== undefined && this.#target !== undefined) return { target: this.#target, credential: { ticket } };
    const { tokens, claim, url, site, base } = this.#parts;
    const claimed = claim();
    let grants: GrantsAnswer | undefined;
    try {
      const answer = await tokens.connection(claimed.requests);
      if (isCurrent()) grants = answer.grants;
      if (answer.off) return undefined;
      this.#target = targetOf(url ?? answer.url, site ?? answer.site, base);
      return { target: this.#target, credential: answer.token === undefined ? {} : { token: answer.token } };
    } finally {
      claimed.settle(grants);
    }
  }
}

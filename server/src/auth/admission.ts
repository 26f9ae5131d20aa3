import {
  BellwireError,
  covers,
  parseConnectClaims,
  parseSubscribeClaims,
  type ConnectPermit,
  type ParsedFilter,
  type SubscribePermit,
} from "@bellwire/protocol";
import type { Holder, Permit, Scope } from "../revocations/revocation.js";
import type { Revocations } from "../revocations/revocations.js";
import type { Keyring } from "./keyring.js";
import type { SubscriptionProof, TicketedProof, Tickets } from "./tickets.js";
import { toBellwireError } from "../failure.js";
import { verifyToken } from "./tokens.js";

/** What of a subscription has to be allowed. */
export interface SubscriptionQuestion {
  readonly topic: string;
  readonly filter: ParsedFilter;
  readonly token: unknown;
  readonly ticket: unknown;
}

export interface AdmissionOptions {
  readonly keyring: Keyring;
  readonly tickets: Tickets;
  readonly revocations: Pick<Revocations, "current" | "refuses">;
  /** May visitors without a user connect to this site? */
  readonly anonymous: (site: string) => boolean;
}

/** A connection as admission sees it. */
export interface Visitor extends Holder {
  readonly permit: ConnectPermit;
}

/** What admits a connection, and the ticket that says so where there is one to go on with. */
export interface AdmittedConnection {
  readonly permit: ConnectPermit;
  readonly ticket: string | undefined;
}

/** Decides who may connect and what they may subscribe. Every answer is a permit or a BellwireError. */
export class Admission {
  readonly tickets: Tickets;
  readonly #keyring: Keyring;
  readonly #revocations: Pick<Revocations, "current" | "refuses">;
  readonly #anonymous: (site: string) => boolean;

  constructor(options: AdmissionOptions) {
    this.#keyring = options.keyring;
    this.tickets = options.tickets;
    this.#revocations = options.revocations;
    this.#anonymous = options.anonymous;
  }

  /** Admits a connection by its ticket, or by its token where the ticket does not hold. */
  async connect(site: string, auth: Readonly<Record<string, unknown>>): Promise<AdmittedConnection> {
    await this.#revocations.current();
    const admitted = this.#byTicket(site, auth) ?? { permit: this.#byToken(site, auth), ticket: undefined };
    if (admitted.permit.user === "" && !this.#anonymous(site)) {
      throw new BellwireError("forbidden", "This site takes no anonymous connections: the token needs a sub");
    }
    return admitted;
  }

  #byTicket(site: string, { ticket, token, client }: Readonly<Record<string, unknown>>): AdmittedConnection | undefined {
    if (ticket === undefined || ticket === null) return undefined;
    try {
      const admitted = this.tickets.readConnection(ticket, site, seconds());
      this.#unrevoked(admitted.permit, client);
      return admitted;
    } catch (error) {
      if (token === undefined || token === null) throw error;
      return undefined;
    }
  }

  #byToken(site: string, { token, client }: Readonly<Record<string, unknown>>): ConnectPermit {
    return this.#unrevoked(parseConnectClaims(verifyToken(this.#keyring, site, token), site, seconds()), client);
  }

  #unrevoked(permit: ConnectPermit, client: unknown): ConnectPermit {
    const { site, user, session } = permit;
    this.checkRevoked({ site, user, session, client: typeof client === "string" ? client : "" }, permit);
    return permit;
  }

  /**
   * To be asked again in the step that opens a connection or subscription: what admitted it may have been revoked meanwhile.
   * @param scope of a subscription; undefined for a connection
   * @throws BellwireError `revoked`
   */
  checkRevoked(holder: Holder, permit: Permit, scope?: Scope): void {
    if (!this.#revocations.refuses(holder, permit, scope)) return;
    throw new BellwireError("revoked", "What this was allowed by has been revoked: ask with a new token");
  }

  /**
   * Prepares the answers for one frame: a token that several items share is verified once.
   * The function it returns rejects with the contract's code where an item is not allowed.
   */
  forFrame(visitor: Visitor): (question: SubscriptionQuestion) => Promise<TicketedProof> {
    // What was refused is kept too: a thousand items may come with the same wrong token.
    const answers = new Map<unknown, SubscribePermit | BellwireError>();
    const permitOf = (token: unknown): SubscribePermit => {
      let answer = answers.get(token);
      if (answer === undefined) answers.set(token, (answer = this.#readSubscribeToken(visitor, token)));
      if (answer instanceof BellwireError) throw answer;
      return answer;
    };
    return async (question) => this.#byHand(visitor, question) ?? this.#bySubscribeToken(visitor, question, permitOf(question.token));
  }

  #readSubscribeToken(visitor: Visitor, token: unknown): SubscribePermit | BellwireError {
    try {
      return parseSubscribeClaims(verifyToken(this.#keyring, visitor.site, token), visitor, seconds());
    } catch (error) {
      return toBellwireError(error);
    }
  }

  /** Admits by what the connection has in hand, its grants or a ticket; undefined where a token has to decide. */
  #byHand(visitor: Visitor, { topic, filter, token, ticket }: SubscriptionQuestion): TicketedProof | undefined {
    const { permit } = visitor;
    const hasToken = token !== undefined && token !== null;
    const hasTicket = ticket !== undefined && ticket !== null;
    try {
      if (covers(permit.grants, topic, filter))
        return this.#held(visitor, { proof: proof(topic, filter, permit), ticket: undefined }, filter);
    } catch (error) {
      if (!hasToken && !hasTicket) throw error;
    }
    if (!hasTicket) return undefined;
    try {
      return this.#held(visitor, this.tickets.readSubscription(ticket, visitor, topic, filter.canonical, seconds()), filter);
    } catch (error) {
      if (!hasToken) throw error;
      return undefined;
    }
  }

  #bySubscribeToken(visitor: Visitor, { topic, filter }: SubscriptionQuestion, permit: SubscribePermit): TicketedProof {
    if (!covers(permit.grants, topic, filter)) {
      throw new BellwireError("forbidden", "The token's grants do not cover this topic and filter");
    }
    return this.#held(visitor, { proof: proof(topic, filter, permit), ticket: undefined }, filter);
  }

  #held(visitor: Visitor, given: TicketedProof, filter: ParsedFilter): TicketedProof {
    this.checkRevoked(visitor, given.proof, { topic: given.proof.topic, filter });
    return given;
  }
}

function proof(
  topic: string,
  filter: ParsedFilter,
  { iat, jti, until }: Pick<SubscribePermit, "iat" | "jti" | "until">,
): SubscriptionProof {
  return { topic, filter: filter.canonical, iat, jti, until };
}

function seconds(): number {
  return Date.now() / 1000;
}

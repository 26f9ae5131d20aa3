import {
  BellwireError,
  covers,
  parseConnectClaims,
  parseSubscribeClaims,
  type ConnectPermit,
  type ParsedFilter,
  type SubscribePermit,
} from "@bellwire/protocol";
import type { Keyring } from "./keyring.js";
import type { SubscriptionProof, Tickets } from "./tickets.js";
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
  /** May visitors without a user connect to this site? */
  readonly anonymous: (site: string) => boolean;
}

/** Decides who may connect and what they may subscribe. Every answer is a permit or a BellwireError. */
export class Admission {
  readonly tickets: Tickets;
  readonly #keyring: Keyring;
  readonly #anonymous: (site: string) => boolean;

  constructor(options: AdmissionOptions) {
    this.#keyring = options.keyring;
    this.tickets = options.tickets;
    this.#anonymous = options.anonymous;
  }

  /** Admits a connection by its ticket, or by its token where the ticket does not hold. */
  async connect(site: string, auth: Readonly<Record<string, unknown>>): Promise<ConnectPermit> {
    const permit = this.#byTicket(site, auth) ?? parseConnectClaims(await verifyToken(this.#keyring, site, auth.token), site, seconds());
    if (permit.user === "" && !this.#anonymous(site)) {
      throw new BellwireError("forbidden", "This site takes no anonymous connections: the token needs a sub");
    }
    return permit;
  }

  #byTicket(site: string, { ticket, token }: Readonly<Record<string, unknown>>): ConnectPermit | undefined {
    if (ticket === undefined || ticket === null) return undefined;
    try {
      return this.tickets.readConnection(ticket, site, seconds());
    } catch (error) {
      if (token === undefined || token === null) throw error;
      return undefined;
    }
  }

  /**
   * Prepares the answers for one frame: a token that several items share is verified once.
   * The function it returns rejects with the contract's code where an item is not allowed.
   */
  forFrame(connection: ConnectPermit): (question: SubscriptionQuestion) => Promise<SubscriptionProof> {
    const permits = new Map<unknown, Promise<SubscribePermit>>();
    const permitOf = (token: unknown): Promise<SubscribePermit> => {
      let permit = permits.get(token);
      if (permit === undefined) {
        permit = verifyToken(this.#keyring, connection.site, token).then((payload) => parseSubscribeClaims(payload, connection, seconds()));
        permits.set(token, permit);
      }
      return permit;
    };
    return async ({ topic, filter, token, ticket }) => {
      if (covers(connection.grants, topic, filter)) return proof(topic, filter, connection);
      if (ticket !== undefined && ticket !== null) {
        try {
          return this.tickets.readSubscription(ticket, connection, topic, filter.canonical, seconds());
        } catch (error) {
          if (token === undefined || token === null) throw error;
        }
      }
      const permit = await permitOf(token);
      if (!covers(permit.grants, topic, filter)) {
        throw new BellwireError("forbidden", "The token's grants do not cover this topic and filter");
      }
      return proof(topic, filter, permit);
    };
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

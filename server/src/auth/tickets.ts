import { BellwireError, filterObject, limits, parseGrants, type Grant, type Identity } from "@bellwire/protocol";
import type { Keyring } from "./keyring.js";
import type { Mac } from "./mac.js";
import { oldestOf, type ConnectionPermit, type DatedGrant } from "./permits.js";

/** Seconds. */
export interface TicketTiming {
  /** How long a ticket is good for; 0 turns tickets off. Default 300. */
  readonly life: number;
}

// Shared: most connections have no grants of their own.
const NONE: readonly DatedGrant[] = Object.freeze([]);

/** No ticket outlives the original authorization by more than this, in seconds. */
const MOST_AFTER_AUTHORIZATION = 24 * 3600;

/** What a subscription's ticket proves: that this identity was admitted to this topic and filter. */
export interface SubscriptionProof {
  readonly topic: string;
  /** The filter's canonical form. */
  readonly filter: string;
  /** Time of the original authorization, epoch seconds. */
  readonly iat: number;
  readonly jti: string | undefined;
  readonly until: number | undefined;
  /** The backend's hook admitted it, and is to be asked again before its end. */
  readonly hooked?: true;
}

/** What admits a subscription, and the ticket that says so where there is one to go on with. */
export interface TicketedProof {
  readonly proof: SubscriptionProof;
  readonly ticket: string | undefined;
}

/** The part of its life that a ticket must have left to be sent back as it came. */
const YOUNG = 0.75;

/**
 * Relay-signed proof of what a relay admitted already, so that a client comes back without asking the backend. Any relay with
 * the same keys accepts it. Synchronous on purpose: a storm of returning clients is answered from the CPU alone.
 */
export class Tickets {
  readonly #keyring: Keyring;
  readonly life: number;

  constructor(keyring: Keyring, timing: TicketTiming) {
    this.#keyring = keyring;
    this.life = timing.life;
  }

  /** A ticket for a connection, or null where tickets are off, run out, or would be too long to be worth it, and for a guest. */
  forConnection(permit: ConnectionPermit, now: number): string | null {
    if (permit.guest === true) return null; // it would be one for all that its user may
    const expires = this.#expiry(oldestOf(permit), permit.until, now);
    if (expires === undefined) return null;
    const body = Buffer.from(
      JSON.stringify({
        u: permit.user,
        s: permit.session,
        i: permit.info,
        g: permit.grants.length === 0 ? undefined : permit.grants.map(grantObject),
        n: permit.subscriptions.length === 0 ? undefined : permit.subscriptions.map(grantObject),
        a: permit.iat,
        j: permit.jti,
        t: permit.until,
        e: expires,
      }),
    ).toString("base64url");
    const ticket = `c1.${body}.${this.#sign(permit.site, `c1.${body}`)}`;
    return ticket.length > limits.tokenLength ? null : ticket;
  }

  /**
   * Reads a connection's ticket.
   * @returns what it permits, and the ticket itself where it is young enough to be sent back as it came
   * @throws BellwireError `token-invalid` or `token-expired`
   */
  readConnection(ticket: unknown, site: string, now: number): { readonly permit: ConnectionPermit; readonly ticket: string | undefined } {
    this.#refuseIfOff();
    const [kind, body, mac] = split(ticket, 3);
    if (kind !== "c1" || !this.#verify(site, `c1.${body}`, mac as string)) throw invalid();
    const source = parse(body as string);
    if (!(source.e > now)) throw new BellwireError("token-expired", "The ticket has expired");
    const permit: ConnectionPermit = {
      site,
      user: source.u,
      session: source.s,
      info: source.i,
      grants: source.g === undefined ? NONE : readGrants(source.g),
      subscriptions: source.n === undefined ? NONE : readGrants(source.n),
      iat: source.a,
      jti: source.j,
      until: source.t,
    };
    return { permit, ticket: this.#isYoung(source.e, now) ? (ticket as string) : undefined };
  }

  /**
   * Whether a ticket still holds long enough that a new one is not worth making: new ones are sent at half the life anyway.
   */
  #isYoung(expires: number, now: number): boolean {
    return expires - now >= this.life * YOUNG;
  }

  /** A ticket for one subscription of an identity. */
  forSubscription(identity: Identity, proof: SubscriptionProof, now: number): string | null {
    const expires = this.#expiry(proof.iat, proof.until, now);
    if (expires === undefined) return null;
    const jti = proof.jti === undefined ? "" : Buffer.from(proof.jti).toString("base64url");
    const body = [proof.iat, expires, proof.until ?? "", jti, ...(proof.hooked === true ? ["h"] : [])].join("~");
    return `s1.${body}.${this.#sign(identity.site, subscriptionText(identity, proof.topic, proof.filter, body))}`;
  }

  /**
   * Reads a subscription's ticket against what is asked for now.
   * @returns what it proves, with the ticket itself where it is young enough to be sent back as it came
   * @throws BellwireError `token-invalid` or `token-expired`
   */
  readSubscription(ticket: unknown, identity: Identity, topic: string, filter: string, now: number): TicketedProof {
    this.#refuseIfOff();
    const text = split(ticket, 0).join(".");
    const mac = text.slice(text.lastIndexOf(".") + 1);
    const body = text.slice(3, text.lastIndexOf("."));
    if (!text.startsWith("s1.") || !this.#verify(identity.site, subscriptionText(identity, topic, filter, body), mac)) throw invalid();
    const [iat, expires, until, jti, hooked] = body.split("~");
    if (!(Number(expires) > now)) throw new BellwireError("token-expired", "The ticket has expired");
    const proof: SubscriptionProof = {
      topic,
      filter,
      iat: Number(iat),
      jti: jti ? Buffer.from(jti, "base64url").toString() : undefined,
      until: until ? Number(until) : undefined,
      ...(hooked === "h" ? { hooked: true } : {}),
    };
    return { proof, ticket: this.#isYoung(Number(expires), now) ? text : undefined };
  }

  /** Where tickets were turned off, those of before and of other relays do not hold either: every return asks for a token. */
  #refuseIfOff(): void {
    if (this.life <= 0) throw invalid();
  }

  #expiry(iat: number, until: number | undefined, now: number): number | undefined {
    if (this.life <= 0) return undefined;
    const expires = Math.min(now + this.life, iat + MOST_AFTER_AUTHORIZATION, until ?? Number.POSITIVE_INFINITY);
    return expires > now ? expires : undefined;
  }

  #sign(site: string, text: string): string {
    return (this.#keyring.ticketKeys(site)[0] as Mac).sign(`${site}\n${text}`);
  }

  #verify(site: string, text: string, given: string): boolean {
    return this.#keyring.ticketKeys(site).some((key) => key.verify(`${site}\n${text}`, given));
  }
}

// Every part has one reading: user and session go in as JSON, the rest can't hold a line break.
function subscriptionText({ user, session }: Identity, topic: string, filter: string, body: string): string {
  return `s1\n${JSON.stringify([user, session])}\n${topic}\n${filter}\n${body}`;
}

function split(ticket: unknown, parts: number): string[] {
  if (typeof ticket !== "string" || ticket.length > limits.tokenLength) throw invalid();
  const pieces = ticket.split(".");
  if (parts > 0 && pieces.length !== parts) throw invalid();
  return pieces;
}

/** A grant; with the time and the token that it goes back to where they are not the connection's. */
type GrantBody = Grant & { readonly a?: number; readonly j?: string | undefined };

interface ConnectionBody {
  readonly u: string;
  readonly s: string;
  readonly i: unknown;
  readonly g: readonly GrantBody[] | undefined;
  readonly n: readonly GrantBody[] | undefined;
  readonly a: number;
  readonly j: string | undefined;
  readonly t: number | undefined;
  readonly e: number;
}

/** The body is ours: its signature held. */
function parse(body: string): ConnectionBody {
  return JSON.parse(Buffer.from(body, "base64url").toString()) as ConnectionBody;
}

function grantObject({ topic, filter, publish, authorized }: DatedGrant): GrantBody {
  const grant = { topic, filter: filterObject(filter), ...(publish === true ? { publish } : {}) };
  return authorized === undefined ? grant : { ...grant, a: authorized.iat, j: authorized.jti };
}

function readGrants(list: readonly GrantBody[]): readonly DatedGrant[] {
  return parseGrants(list).map((grant, i) => {
    const { a: iat, j: jti } = list[i] as GrantBody;
    return iat === undefined ? grant : { ...grant, authorized: { iat, jti } };
  });
}

function invalid(): BellwireError {
  return new BellwireError("token-invalid", "The ticket does not hold here: ask with a token");
}

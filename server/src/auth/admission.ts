import {
  asObject,
  BellwireError,
  grantsCover,
  filterObject,
  parseConnectClaims,
  parseFilter,
  parseSubscribeClaims,
  readSubscribeClaims,
  SUBSCRIBE_AUDIENCE,
  type JsonObject,
  type ParsedFilter,
  type SubscribePermit,
} from "@bellwire/protocol";
import type { Asker, ConnectReply, Hooks } from "../hooks/hooks.js";
import type { Holder, Permit, Scope } from "../revocations/revocation.js";
import type { Revocations } from "../revocations/revocations.js";
import { Clocks } from "./clocks.js";
import type { Keyring } from "./keyring.js";
import { authoritiesFor, dated, publishingFor, relisted, type ConnectionPermit } from "./permits.js";
import type { SubscriptionProof, TicketedProof, Tickets } from "./tickets.js";
import { toBellwireError } from "../connection/failure.js";
import { isFor, verifyToken } from "./tokens.js";

/** A revocation of any part of a topic ends what allowed to publish there. */
const EVERYTHING = parseFilter({});

/** What of a subscription has to be allowed. */
export interface SubscriptionQuestion {
  readonly topic: string;
  readonly filter: ParsedFilter;
  readonly token: unknown;
  readonly ticket: unknown;
}

export interface AdmissionOptions {
  readonly hooks: Hooks;
  readonly keyring: Keyring;
  readonly tickets: Tickets;
  readonly revocations: Pick<Revocations, "current" | "refuses">;
  /** Default: this process's clock, and nobody is told of others. */
  readonly clocks?: Clocks;
  /** May visitors without a user connect to this site? */
  readonly anonymous: (site: string) => boolean;
}

/** A connection as admission sees it. */
export interface Visitor extends Holder {
  readonly permit: ConnectionPermit;
  readonly asker: Asker;
}

/** Somebody who knocks, before anything is known of them. */
export interface Arrival {
  /** The connection's id. */
  readonly id: string;
  readonly client: string;
  /** The browser's headers that backends may see. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What admits a subscription, and what is known of it besides. */
export interface AdmittedSubscription extends TicketedProof {
  /** Of the user in the topic's presence, where the backend said it. */
  readonly info?: unknown;
  /** By the connection's own grants: it goes on as long as they do. */
  readonly granted?: true;
}

/** What admits a connection, and the ticket that says so where there is one to go on with. */
export interface AdmittedConnection {
  readonly permit: ConnectionPermit;
  readonly ticket: string | undefined;
}

/** Decides who may connect and what they may subscribe. Every answer is a permit or a BellwireError. */
export class Admission {
  readonly tickets: Tickets;
  readonly #hooks: Hooks;
  readonly #keyring: Keyring;
  readonly #revocations: Pick<Revocations, "current" | "refuses">;
  readonly #clocks: Clocks;
  readonly #anonymous: (site: string) => boolean;

  constructor(options: AdmissionOptions) {
    this.#hooks = options.hooks;
    this.#keyring = options.keyring;
    this.tickets = options.tickets;
    this.#revocations = options.revocations;
    this.#clocks = options.clocks ?? new Clocks({ now: seconds, onDiffering: () => undefined });
    this.#anonymous = options.anonymous;
  }

  /**
   * Admits a connection by its ticket; or by its token where the ticket does not hold, and by the connect hook where there is one,
   * which hears the token's claims.
   */
  async connect(site: string, auth: Readonly<Record<string, unknown>>, arrival: Arrival): Promise<AdmittedConnection> {
    await this.#revocations.current();
    const admitted = this.#byTicket(site, auth) ?? { permit: await this.#byTokenOrHook(site, auth, arrival), ticket: undefined };
    return this.#known(admitted);
  }

  /**
   * Admits whoever asks for a few subscriptions and nothing else: as `connect`, by a subscribe token alone, or by nothing where
   * visitors may be anonymous and a hook decides on each subscription.
   */
  async visit(site: string, auth: Readonly<Record<string, unknown>>, arrival: Arrival): Promise<AdmittedConnection> {
    const { token } = auth;
    const { features } = this.#hooks;
    const byHook = isAbsent(token) && !features.includes("connect") && features.includes("subscribe") && this.#anonymous(site);
    if (!byHook && !isFor(SUBSCRIBE_AUDIENCE, token)) return this.connect(site, auth, arrival);
    await this.#revocations.current();
    const guest = { site, user: "", session: "", info: undefined, until: undefined, grants: [], subscriptions: [], guest: true } as const;
    if (byHook) return { permit: { ...guest, iat: this.#clocks.now, jti: undefined }, ticket: undefined };
    const claims = verifyToken(this.#keyring, site, token);
    const issued = this.#issued(claims, site);
    const { user, session, iat, jti } = readSubscribeClaims(claims, site, seconds());
    const permit = this.#fresh(claims, { ...guest, user, session, iat: issued ?? iat, jti }, arrival.client);
    return this.#known({ permit, ticket: undefined });
  }

  #known(admitted: AdmittedConnection): AdmittedConnection {
    const { user, site } = admitted.permit;
    if (user !== "" || this.#anonymous(site)) return admitted;
    throw new BellwireError("forbidden", "This site takes no anonymous connections: the token needs a sub");
  }

  #byTicket(site: string, { ticket, token, client }: Readonly<Record<string, unknown>>): AdmittedConnection | undefined {
    if (ticket === undefined || ticket === null) return undefined;
    try {
      const admitted = this.tickets.readConnection(ticket, site, seconds());
      this.#unrevoked(admitted.permit, client);
      return admitted;
    } catch (error) {
      if (isAbsent(token) && !this.#hooks.features.includes("connect")) throw error;
      return undefined;
    }
  }

  async #byTokenOrHook(site: string, { token, data }: Readonly<Record<string, unknown>>, arrival: Arrival): Promise<ConnectionPermit> {
    const claims = isAbsent(token) ? undefined : verifyToken(this.#keyring, site, token);
    const permit = claims === undefined ? undefined : this.#fresh(claims, this.#parseConnect(claims, site), arrival.client);
    // The time of the question stands for that of a token: whatever is revoked while it is answered is revoked.
    const iat = this.#clocks.now;
    const asked = this.#hooks.connect({
      site,
      user: permit?.user ?? "",
      session: permit?.session ?? "",
      client: arrival.client,
      connection: arrival.id,
      headers: arrival.headers,
      info: permit?.info,
      data,
      claims: asObject(claims),
    });
    if (asked !== undefined) return this.#unrevoked(merge(site, permit, await asked, iat), arrival.client);
    if (permit === undefined) throw new BellwireError("token-missing", "A token is needed");
    return permit;
  }

  #parseConnect(claims: unknown, site: string): ConnectionPermit {
    const issued = this.#issued(claims, site);
    const permit = parseConnectClaims(claims, site, seconds());
    return { ...permit, iat: issued ?? permit.iat };
  }

  /** When a token was issued at the earliest, whatever else is wrong with it; undefined where it does not say. */
  #issued(claims: unknown, site: string): number | undefined {
    const iat = asObject(claims)?.iat;
    return typeof iat === "number" && Number.isFinite(iat) ? this.#clocks.issued(site, iat) : undefined;
  }

  /** As `#unrevoked`, and says when a token issued now would do where the clocks differ. */
  #fresh(claims: unknown, permit: ConnectionPermit, client: unknown): ConnectionPermit {
    try {
      return this.#unrevoked(permit, client);
    } catch (error) {
      const isDated = asObject(claims)?.iat === permit.iat;
      throw isDated || !(error instanceof BellwireError) ? error : revoked(CLOCKS_AFTER_MS);
    }
  }

  #unrevoked(permit: ConnectionPermit, client: unknown): ConnectionPermit {
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
    throw revoked();
  }

  /**
   * Prepares the answers for one frame: a token that several items share is verified once.
   * The function it returns rejects with the contract's code where an item is not allowed.
   */
  forFrame(visitor: Visitor): (question: SubscriptionQuestion) => Promise<AdmittedSubscription> {
    // What was refused is kept too: a thousand items may come with the same wrong token.
    const answers = new Map<unknown, SubscribePermit | BellwireError>();
    const permitOf = (token: unknown): SubscribePermit => {
      let answer = answers.get(token);
      if (answer === undefined) answers.set(token, (answer = this.#readSubscribeToken(visitor, token)));
      if (answer instanceof BellwireError) throw answer;
      return answer;
    };
    return async (question) => {
      const { token } = question;
      const inHand = this.#byHand(visitor, question);
      if (inHand !== undefined) return inHand;
      if (!isAbsent(token)) return this.#bySubscribeToken(visitor, question, permitOf(token));
      return this.#byHook(visitor, question);
    };
  }

  #readSubscribeToken(visitor: Visitor, token: unknown): SubscribePermit | BellwireError {
    try {
      const claims = verifyToken(this.#keyring, visitor.site, token);
      const issued = this.#issued(claims, visitor.site);
      const permit = parseSubscribeClaims(claims, visitor, seconds(), visitor.permit.guest);
      return { ...permit, iat: issued ?? permit.iat };
    } catch (error) {
      return toBellwireError(error);
    }
  }

  /** Admits by what the connection has in hand, its grants or a ticket; undefined where a token has to decide. */
  #byHand(visitor: Visitor, { topic, filter, token, ticket }: SubscriptionQuestion): AdmittedSubscription | undefined {
    const { permit } = visitor;
    const hasToken = token !== undefined && token !== null;
    const hasTicket = ticket !== undefined && ticket !== null;
    const allowing = authoritiesFor(permit, topic, filter);
    const by = allowing.find((one) => !this.#revocations.refuses(visitor, one, { topic, filter }));
    if (by !== undefined) return { proof: proof(topic, filter, { ...by, until: permit.until }), ticket: undefined, granted: true };
    if (allowing.length > 0 && !hasToken && !hasTicket && !this.#hooks.features.includes("subscribe")) throw revoked();
    if (!hasTicket) return undefined;
    try {
      return this.#unlessRevoked(visitor, this.tickets.readSubscription(ticket, visitor, topic, filter.canonical, seconds()), filter);
    } catch (error) {
      if (!hasToken && !this.#hooks.features.includes("subscribe")) throw error;
      return undefined;
    }
  }

  /** Whether the connection's own grants allow it to publish this. */
  mayPublish(visitor: Visitor, topic: string, data: JsonObject): boolean {
    const scope = { topic, filter: EVERYTHING };
    return publishingFor(visitor.permit, topic, data).some((by) => !this.#revocations.refuses(visitor, by, scope));
  }

  async #byHook(visitor: Visitor, { topic, filter, ticket }: SubscriptionQuestion): Promise<AdmittedSubscription> {
    const iat = this.#clocks.now;
    const asked = this.#hooks.subscribe({ ...visitor.asker, topic, filter: filterObject(filter) });
    if (asked === undefined) {
      if (ticket !== undefined && ticket !== null)
        throw new BellwireError("token-invalid", "The ticket does not hold here: ask with a token");
      throw new BellwireError("token-missing", "A token is needed");
    }
    const { until, info } = await asked;
    if (until !== undefined && until <= seconds()) throw new BellwireError("token-expired", "The backend's until has passed");
    const given: SubscriptionProof = { topic, filter: filter.canonical, iat, jti: undefined, until, hooked: true };
    return { ...this.#unlessRevoked(visitor, { proof: given, ticket: undefined }, filter), info };
  }

  /**
   * A connection's permit after a new token, which must be of the same user.
   * @throws BellwireError
   */
  renewConnection(visitor: Visitor, token: unknown): ConnectionPermit {
    const { site, user, session } = visitor.permit;
    const fresh = this.#parseConnect(verifyToken(this.#keyring, site, token), site);
    if (fresh.user !== user) throw new BellwireError("forbidden", "The token was issued to another user");
    if (user === "" && fresh.session !== session) throw new BellwireError("forbidden", "The token was issued to another session");
    const subscriptions = relisted(visitor.permit.subscriptions, visitor.permit, fresh.subscriptions);
    return this.#unrevoked({ ...fresh, session, info: fresh.info ?? visitor.permit.info, subscriptions }, visitor.client);
  }

  /**
   * What admits a subscription after a new token for the same.
   * @throws BellwireError
   */
  renewSubscription(
    visitor: Visitor,
    { topic, filter }: Pick<SubscriptionQuestion, "topic" | "filter">,
    token: unknown,
  ): SubscriptionProof {
    const permit = this.#readSubscribeToken(visitor, token);
    if (permit instanceof BellwireError) throw permit;
    return this.#bySubscribeToken(visitor, { topic, filter, token, ticket: undefined }, permit).proof;
  }

  #bySubscribeToken(visitor: Visitor, { topic, filter }: SubscriptionQuestion, permit: SubscribePermit): TicketedProof {
    if (!grantsCover(permit.grants, topic, filter)) {
      throw new BellwireError("forbidden", "The token's grants do not cover this topic and filter");
    }
    return this.#unlessRevoked(visitor, { proof: proof(topic, filter, permit), ticket: undefined }, filter);
  }

  #unlessRevoked(visitor: Visitor, given: TicketedProof, filter: ParsedFilter): TicketedProof {
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

/** Where a backend's clock is ahead its tokens are told from those before a revocation after so long, milliseconds. */
const CLOCKS_AFTER_MS = 2000;

function revoked(after?: number): BellwireError {
  const message = "What this was allowed by has been revoked: ask with a new token";
  if (after === undefined) return new BellwireError("revoked", message);
  return new BellwireError("revoked", `${message}, in a moment, since the backend's clock is ahead of the relay's`, { after });
}

function seconds(): number {
  return Date.now() / 1000;
}

function isAbsent(credential: unknown): boolean {
  return credential === undefined || credential === null || credential === "";
}

/** What a token allows, and what the connect hook says: the hook knows better. Each part keeps its own time. */
function merge(site: string, permit: ConnectionPermit | undefined, reply: ConnectReply, iat: number): ConnectionPermit {
  const until = reply.until ?? permit?.until;
  if (until !== undefined && until <= seconds()) throw new BellwireError("token-expired", "The backend's until has passed");
  const ofToken = (key: "subscriptions" | "grants"): ConnectionPermit["grants"] => (permit === undefined ? [] : dated(permit[key], permit));
  return {
    site,
    user: reply.user,
    session: reply.session === "" ? (permit?.session ?? "") : reply.session,
    info: reply.info ?? permit?.info,
    iat,
    jti: permit?.jti,
    until,
    subscriptions: [...ofToken("subscriptions"), ...reply.subscriptions],
    grants: [...ofToken("grants"), ...reply.grants],
  };
}

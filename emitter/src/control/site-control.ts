import type { Code, Filter, Reason } from "@bellwire/protocol";
import { idText, type Identifier } from "../identifier.js";
import type { PublishOptions } from "../message.js";
import type { PersonalKind } from "../personal.js";
import type { PersonalPublisher } from "../site.js";
import type { CommandKind, Target } from "./command.js";

export interface DisconnectOptions {
  /** What the client's `bye` says, and by its `retry` what the client does next. Default `forbidden`: it stays away. */
  readonly code?: Code | undefined;
  /** Words of your own, passed through to the client. */
  readonly reason?: Reason | undefined;
}

export interface RevokeOptions {
  /** Only what may be heard of this topic, or of topics with a prefix that ends in `*`. Default: everything, the connection too. */
  readonly topic?: string | undefined;
  /** With `topic`: only subscriptions that could hear something of this filter. */
  readonly filter?: Filter | undefined;
  /** Only the token with this `jti`, and what it opened. */
  readonly jti?: string | undefined;
}

/**
 * What the connections of one user, session or page load can be made to do, on all relays.
 *
 * Each method resolves once the relays were told, or to `null` while the emitter is disabled; each rejects with a BellwireError:
 * `bad-request`, `forbidden` (a topic that begins with `$`), `limit`, or within 5 s `unavailable`. Ignoring the promise is safe.
 * All but `disconnect` are stored before they are told: a relay that is cut off at that moment learns of them when it is back.
 */
export interface TargetControl {
  /** Ends the connections. They may come back with the token or ticket that they have: to prevent that, `revoke`. */
  disconnect(options?: DisconnectOptions): Promise<void | null>;
  /**
   * Subscribes each of the connections, and those that open later: stored until it is ended, or for 24 h after the last command about
   * this user, session or page load and the last of its connections. At most 1,000 for each, then `limit`.
   */
  subscribe(topic: string, filter?: Filter): Promise<void | null>;
  /**
   * Ends the subscriptions that lie within this topic (or prefix ending in `*`) and filter; without arguments all of them. What the
   * server subscribed stays ended for connections that open later.
   */
  unsubscribe(topic?: string, filter?: Filter): Promise<void | null>;
  /** Refuses the tokens and tickets issued until now, and ends what they opened. Stored: it survives restarts. */
  revoke(options?: RevokeOptions): Promise<void | null>;
}

/** What can be done with one user or session: told apart from everybody else, or controlled. */
export interface PersonControl extends TargetControl, PersonalPublisher {}

/** What a whole site's connections can be made to do. */
export interface SiteControl {
  /** @param user an id as in a token's `sub`; an integer counts as its text */
  user(user: Identifier): PersonControl;
  /** @param session an id as in a token's `sid`; an integer counts as its text */
  session(session: Identifier): PersonControl;
  /** @param client the page load, as `client.id` names it in the browser. Whoever reloads the page is another client. */
  client(client: string): TargetControl;
  /** `unsubscribe` for everybody on the site. */
  unsubscribe(topic: string, filter?: Filter): Promise<void | null>;
  /** `revoke` for everybody on the site. */
  revoke(options: RevokeOptions & { readonly topic: string }): Promise<void | null>;
}

type Send = (kind: CommandKind, body: object) => Promise<void | null>;
type PublishTo = (kind: PersonalKind, id: string, data?: object, options?: PublishOptions) => ReturnType<PersonalPublisher["publish"]>;

/**
 * @param send checks the body and tells all relays
 * @param publish to the personal topic of a user or session
 */
export function siteControl(send: Send, publish: PublishTo): SiteControl {
  const person = (kind: PersonalKind, id: string): PersonControl => ({
    ...targetControl(send, { [kind]: id }),
    publish: (data, options) => publish(kind, id, data, options),
  });
  return {
    user: (user) => person("user", idText(user) as string),
    session: (session) => person("session", idText(session) as string),
    client: (client) => targetControl(send, { client }),
    unsubscribe: (topic, filter) => send("unsubscribe", { topic, filter }),
    revoke: (options) => send("revoke", { ...options, ...EVERYBODY }),
  };
}

function targetControl(send: Send, target: Target): TargetControl {
  const named = requireNamed(target);
  return {
    disconnect: (options) => send("disconnect", { ...options, ...named }),
    subscribe: (topic, filter) => send("subscribe", { topic, filter, ...named }),
    unsubscribe: (topic, filter) => send("unsubscribe", { topic, filter, ...named }),
    revoke: (options) => send("revoke", { ...options, ...named }),
  };
}

// What a caller's object holds besides the options names nobody.
const EVERYBODY: Readonly<Record<keyof Target, undefined>> = { user: undefined, session: undefined, client: undefined };

/** An id that is missing must not turn a command about somebody into one about everybody. */
function requireNamed(target: Target): object {
  const given = Object.entries(target).map(([name, id]: [string, unknown]) => [name, id ?? ""]);
  return { ...EVERYBODY, ...Object.fromEntries(given) };
}

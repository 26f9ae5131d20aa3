import { asObject, filtersOverlap, parseFilter, topicMatches, type Identity, type ParsedFilter } from "@bellwire/protocol";
import { parseCommand, type RevokeCommand } from "@bellwire/emitter/commands";

/** A revocation as the store gives it. */
export interface StoredRevocation {
  /** The JSON text that names what is revoked. */
  readonly text: string;
  /** Epoch milliseconds, by the store's clock. */
  readonly at: number;
}

/** A revocation, ready for use. */
export interface Revocation {
  readonly text: string;
  /** Epoch milliseconds; rises where the same is revoked again. */
  at: number;
  readonly command: RevokeCommand;
  readonly filter: ParsedFilter;
}

/** Whom a permit was given to, and through which page load. */
export interface Holder extends Identity {
  readonly client: string;
}

/** What admits a connection or subscription, as far as revocations go. */
export interface Permit {
  /** Time of the original authorization, epoch seconds; tokens with a whole number mean any moment of that second. */
  readonly iat: number;
  readonly jti: string | undefined;
}

/** What is, or would be, heard. */
export interface Scope {
  readonly topic: string;
  readonly filter: ParsedFilter;
}

/** Reads what a store holds; anybody may have written there. Undefined for what is no revocation. */
export function parseRevocation({ text, at }: StoredRevocation): Revocation | undefined {
  if (!Number.isFinite(at) || at < 0) return undefined;
  try {
    const source = asObject(JSON.parse(text));
    const command = parseCommand("revoke", source?.site, source) as RevokeCommand;
    return { text, at, command, filter: parseFilter(command.filter) };
  } catch {
    return undefined;
  }
}

/**
 * Is this permit refused? Everything that the revocation names must fit, and the permit must not be younger. A whole number of
 * seconds counts as the second's beginning: what was issued later in the second of the revocation is refused too, and asked
 * for again. A revocation without a topic refuses the connection and all of its subscriptions; one with a topic refuses
 * subscriptions that could hear something of it.
 * @param scope of a subscription; undefined for a connection
 */
export function isRefused({ command, filter, at }: Revocation, holder: Holder, permit: Permit, scope: Scope | undefined): boolean {
  const { site, user, session, client, jti, topic } = command;
  if (permit.iat > at / 1000 || site !== holder.site) return false;
  if (user !== undefined && user !== holder.user) return false;
  if (session !== undefined && session !== holder.session) return false;
  if (client !== undefined && client !== holder.client) return false;
  if (jti !== undefined && jti !== permit.jti) return false;
  if (topic === undefined) return true;
  return scope !== undefined && topicMatches(topic, scope.topic) && filtersOverlap(filter, scope.filter);
}

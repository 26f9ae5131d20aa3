import { grantCovers, grantPublishes, type ConnectPermit, type JsonObject, type ParsedFilter, type ParsedGrant } from "@bellwire/protocol";
import type { Permit } from "../revocations/revocation.js";

/** A grant, or a subscription that a token lists, with the authorization that it goes back to where that is not its connection's. */
export interface DatedGrant extends ParsedGrant {
  readonly authorized?: Permit;
}

/** What a connection may do, each part as old as the token or answer that allowed it. */
export interface ConnectionPermit extends ConnectPermit {
  readonly grants: readonly DatedGrant[];
  readonly subscriptions: readonly DatedGrant[];
  /** Came without a connection token: it has what it asked for and was allowed, and nothing that its user has besides. */
  readonly guest?: true;
}

/** What allowed a grant or a listed subscription of a connection. */
export function authorityOf(grant: DatedGrant, permit: Permit): Permit {
  return grant.authorized ?? permit;
}

/** The same grants for a permit of another time: they do not become younger with it. */
export function dated(grants: readonly DatedGrant[], { iat, jti }: Permit): readonly DatedGrant[] {
  if (grants.every(({ authorized }) => authorized !== undefined)) return grants;
  const authorized = { iat, jti };
  return grants.map((grant) => (grant.authorized === undefined ? { ...grant, authorized } : grant));
}

/** Listed subscriptions after a new token: those that it lists as well are allowed by it, the others by what allowed them before. */
export function relisted(before: readonly DatedGrant[], by: Permit, fresh: readonly DatedGrant[]): readonly DatedGrant[] {
  const again = new Set(fresh.map(nameOf));
  return dated(before, by).map((grant) => (again.has(nameOf(grant)) ? { topic: grant.topic, filter: grant.filter } : grant));
}

/** What allows a subscription by the connection's own grants, each authorization once, the youngest first; none: nothing does. */
export function authoritiesFor(permit: ConnectionPermit, topic: string, filter: ParsedFilter): Permit[] {
  const found: Permit[] = [];
  for (const grant of permit.grants) {
    const by = authorityOf(grant, permit);
    if (!found.some((one) => isSame(one, by)) && grantCovers(grant, topic, filter)) found.push(by);
  }
  return found.sort((a, b) => b.iat - a.iat);
}

/** What allows a connection to publish this by its own grants. */
export function publishingFor(permit: ConnectionPermit, topic: string, data: JsonObject): Permit[] {
  return permit.grants.filter((grant) => grantPublishes(grant, topic, data)).map((grant) => authorityOf(grant, permit));
}

export function isSame(one: Permit, other: Permit): boolean {
  return one.iat === other.iat && one.jti === other.jti;
}

/** The time that the oldest part of a permit goes back to, epoch seconds. */
export function oldestOf(permit: ConnectionPermit): number {
  const times = [...permit.grants, ...permit.subscriptions].map((grant) => authorityOf(grant, permit).iat);
  return Math.min(permit.iat, ...times);
}

/** A topic holds no brace, so the name can be read in one way only. */
function nameOf({ topic, filter }: ParsedGrant): string {
  return topic + filter.canonical;
}

import { BellwireError } from "@bellwire/protocol";

/** Connections at a time, on one relay. */
export interface SeatLimits {
  /** Of one site. */
  readonly connections: number;
  readonly connectionsPerUser: number;
  readonly connectionsPerSession: number;
  readonly connectionsPerAddress: number;
}

/** Whom a connection counts for. An empty user or session is nobody's. */
export interface Sitter {
  readonly site: string;
  readonly user: string;
  readonly session: string;
}

/** It is somebody's own doing, or takes a while to pass. */
const AFTER_MS = 5000;

interface SiteSeats {
  count: number;
  readonly users: Map<string, number>;
  readonly sessions: Map<string, number>;
}

/** Counts the connections of each site, user, session and address, so that none of them has all the places there are. */
export class Seats {
  readonly #limitsOf: (site: string) => SeatLimits;
  readonly #sites = new Map<string, SiteSeats>();
  readonly #addresses = new Map<string, number>();

  constructor(limitsOf: (site: string) => SeatLimits) {
    this.#limitsOf = limitsOf;
  }

  /**
   * Takes a place, to be given back once.
   * @param address where the connection comes from, if that can be told
   * @throws BellwireError `limit`
   */
  take({ site, user, session }: Sitter, address: string | undefined): void {
    const limits = this.#limitsOf(site);
    const seats = this.#sites.get(site) ?? { count: 0, users: new Map<string, number>(), sessions: new Map<string, number>() };
    requireFree("site", seats.count, limits.connections);
    if (user !== "") requireFree("user", seats.users.get(user) ?? 0, limits.connectionsPerUser);
    if (session !== "") requireFree("session", seats.sessions.get(session) ?? 0, limits.connectionsPerSession);
    if (address !== undefined) requireFree("address", this.#addresses.get(address) ?? 0, limits.connectionsPerAddress);
    seats.count++;
    this.#sites.set(site, seats);
    if (user !== "") add(seats.users, user, 1);
    if (session !== "") add(seats.sessions, session, 1);
    if (address !== undefined) add(this.#addresses, address, 1);
  }

  leave({ site, user, session }: Sitter, address: string | undefined): void {
    const seats = this.#sites.get(site);
    if (seats === undefined) return;
    if (--seats.count === 0) this.#sites.delete(site);
    if (user !== "") add(seats.users, user, -1);
    if (session !== "") add(seats.sessions, session, -1);
    if (address !== undefined) add(this.#addresses, address, -1);
  }
}

function requireFree(whose: "site" | "user" | "session" | "address", taken: number, limit: number): void {
  if (taken < limit) return;
  throw new BellwireError("limit", `This ${whose} has ${limit} connections here already, which is the limit`, { after: AFTER_MS });
}

function add(counts: Map<string, number>, name: string, change: 1 | -1): void {
  const count = (counts.get(name) ?? 0) + change;
  if (count > 0) counts.set(name, count);
  else counts.delete(name);
}

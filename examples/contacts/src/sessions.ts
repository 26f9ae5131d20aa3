import { randomBytes } from "node:crypto";
import { findUser, type User } from "./users.js";

export interface Session {
  readonly user: User;
  /** Known to the relay, so it is not the cookie's secret. */
  readonly id: string;
}

const MAX_SESSIONS = 1000;
const COOKIE = "contacts_session";

/**
 * Who is signed in, by cookie. A browser keeps one cookie per user beside that of the last one, and a page says in `x-user`
 * which it means: so two tabs can be two people.
 */
export class Sessions {
  /** By secret, the oldest first. */
  readonly #sessions = new Map<string, Session>();

  /** Whoever is signed in as this user in this browser already stays in that session. Returns the cookies to set. */
  signIn(user: User, headers: Headers): string[] {
    const before = this.#ofCookie(headers, cookieOf(user));
    const secret = before?.session.user === user ? before.secret : randomBytes(24).toString("base64url");
    if (secret !== before?.secret) this.#sessions.set(secret, { user, id: randomBytes(12).toString("base64url") });
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= MAX_SESSIONS) break;
      this.#sessions.delete(oldest);
    }
    return [COOKIE, cookieOf(user)].map((name) => `${name}=${secret}; Path=/; HttpOnly; SameSite=Lax`);
  }

  /** Returns the session that has ended, and the cookies to set. */
  signOut(headers: Headers): { ended: Session | undefined; cookies: string[] } {
    const found = this.#lookUp(headers);
    if (found === undefined) return { ended: undefined, cookies: [] };
    this.#sessions.delete(found.secret);
    const cookies = [COOKIE, cookieOf(found.session.user)].map((name) => `${name}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`);
    return { ended: found.session, cookies };
  }

  find(headers: Headers): Session | undefined {
    return this.#lookUp(headers)?.session;
  }

  /** By what the relay knows of it. */
  byId(id: string): Session | undefined {
    return [...this.#sessions.values()].find((session) => session.id === id);
  }

  #lookUp(headers: Headers): { secret: string; session: Session } | undefined {
    const meant = headers.get("x-user");
    const user = findUser(meant);
    if (meant !== null && user === undefined) return undefined;
    const found = this.#ofCookie(headers, user === undefined ? COOKIE : cookieOf(user));
    return user !== undefined && found?.session.user !== user ? undefined : found;
  }

  #ofCookie(headers: Headers, name: string): { secret: string; session: Session } | undefined {
    const secret = readCookie(headers.get("cookie") ?? "", name);
    const session = secret === undefined ? undefined : this.#sessions.get(secret);
    return secret === undefined || session === undefined ? undefined : { secret, session };
  }
}

function cookieOf(user: User): string {
  return `${COOKIE}_${user.id}`;
}

function readCookie(header: string, name: string): string | undefined {
  const prefix = `${name}=`;
  const pair = header.split(";").find((part) => part.trim().startsWith(prefix));
  return pair?.trim().slice(prefix.length);
}

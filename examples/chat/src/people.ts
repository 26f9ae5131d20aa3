import { randomBytes } from "node:crypto";
import { BellwireError, isWellFormed } from "@bellwire/protocol";

/** Somebody who is signed in. */
export interface Person {
  /** Known to everybody, so it is not the cookie's secret. */
  readonly id: string;
  readonly name: string;
}

const COOKIE = "chat_session";
const MAX_PEOPLE = 1000;
const MAX_NAME = 30;

/** Who is signed in, by cookie. All tabs of a browser are one person. */
export class People {
  /** By the cookie's secret, the oldest first. */
  readonly #people = new Map<string, Person>();

  /**
   * Signs in by name alone: this is a demo. Who comes second is "Ann 2".
   * @returns the cookie to set
   * @throws BellwireError `bad-request` for a name that nobody can have
   */
  signIn(wanted: unknown): { person: Person; cookie: string } {
    const name = parseName(wanted);
    let free = name;
    for (let number = 2; this.#isTaken(free); number++) free = `${name} ${number}`;
    const secret = randomBytes(24).toString("base64url");
    const person = { id: randomBytes(9).toString("base64url"), name: free };
    this.#people.set(secret, person);
    for (const oldest of this.#people.keys()) {
      if (this.#people.size <= MAX_PEOPLE) break;
      this.#people.delete(oldest);
    }
    return { person, cookie: `${COOKIE}=${secret}; Path=/; HttpOnly; SameSite=Lax` };
  }

  /** @returns who has left, and the cookie to set */
  signOut(cookies: string | null | undefined): { person: Person | undefined; cookie: string } {
    const secret = readCookie(cookies ?? "");
    const person = this.#people.get(secret);
    this.#people.delete(secret);
    return { person, cookie: `${COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0` };
  }

  /** @param cookies the header of a request, or of the handshake that the relay asks about */
  byCookie(cookies: string | null | undefined): Person | undefined {
    return this.#people.get(readCookie(cookies ?? ""));
  }

  byId(id: string): Person | undefined {
    return [...this.#people.values()].find((person) => person.id === id);
  }

  /** @throws BellwireError `bad-request` for a name that nobody can have, or that somebody else has */
  rename(id: string, wanted: unknown): Person {
    const name = parseName(wanted);
    const entry = [...this.#people].find(([, person]) => person.id === id);
    if (entry === undefined) throw new BellwireError("forbidden", "Sign in first");
    if (this.#isTaken(name, id)) throw new BellwireError("bad-request", `Somebody is called ${name} already`);
    const person = { id, name };
    this.#people.set(entry[0], person);
    return person;
  }

  /** Everybody's name by id, as it is now. */
  names(): Record<string, string> {
    return Object.fromEntries([...this.#people.values()].map(({ id, name }) => [id, name]));
  }

  #isTaken(name: string, but?: string): boolean {
    const lower = name.toLowerCase();
    return [...this.#people.values()].some((person) => person.id !== but && person.name.toLowerCase() === lower);
  }
}

function parseName(wanted: unknown): string {
  const name = typeof wanted === "string" ? wanted.trim().replace(/\s+/g, " ") : "";
  if (name === "" || [...name].length > MAX_NAME || !isWellFormed(name)) {
    throw new BellwireError("bad-request", `A name has 1 to ${MAX_NAME} characters`);
  }
  return name;
}

function readCookie(header: string): string {
  const prefix = `${COOKIE}=`;
  const pair = header.split(";").find((part) => part.trim().startsWith(prefix));
  return pair?.trim().slice(prefix.length) ?? "";
}

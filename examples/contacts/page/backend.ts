import type { Alert, Contact, ContactFields } from "../src/contacts.js";
import type { User } from "../src/users.js";

export type { Alert, Contact, ContactFields, User };

export interface Me extends User {
  readonly colleagues: readonly User[];
  /** The relay, where it takes the page without tokens. */
  readonly relay?: { readonly url: string };
}

/** What the backend refused; `field` is the input that it is about, if any. */
export class Refused extends Error {
  readonly status: number;
  readonly field: string | undefined;

  constructor(status: number, message: string, field?: string) {
    super(message);
    this.status = status;
    this.field = field;
  }
}

/** Whom this tab is for, so that two tabs of one browser can be two people; null: whoever signed in last. */
export function tabUser(): string | null {
  return new URLSearchParams(location.search).get("user");
}

export function userHeaders(): Record<string, string> {
  const user = tabUser();
  return user === null ? {} : { "x-user": user };
}

export const backend = {
  users: (): Promise<User[]> => ask("GET", "users"),
  me: (): Promise<Me> => ask("GET", "me"),
  signIn: (user: string): Promise<User> => ask("POST", "session", { user }),
  signOut: (): Promise<unknown> => ask("DELETE", "session"),
  contacts: (): Promise<Contact[]> => ask("GET", "contacts"),
  save: (id: number, fields: ContactFields): Promise<Contact> => ask("PUT", `contacts/${id}`, fields),
  remove: (id: number): Promise<unknown> => ask("DELETE", `contacts/${id}`),
  alerts: (): Promise<Alert[]> => ask("GET", "alerts"),

  /** Resolves to undefined where the contact is gone. */
  async contact(id: number): Promise<Contact | undefined> {
    try {
      return await ask<Contact>("GET", `contacts/${id}`);
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return undefined;
      throw error;
    }
  },
};

async function ask<T>(method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(`api/${path}`, {
    method,
    headers: { ...userHeaders(), ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(10_000),
  });
  const reply: unknown = await response.json().catch(() => undefined);
  if (response.ok) return reply as T;
  const { error } = (reply ?? {}) as { error?: { message?: string; reason?: { code?: string } } };
  throw new Refused(response.status, error?.message ?? `The backend answered ${response.status}`, error?.reason?.code);
}

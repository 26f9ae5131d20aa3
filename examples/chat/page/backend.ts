import type { Person } from "../src/people.js";

export type { Person };

/** What the backend refused. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const backend = {
  me: (): Promise<Person> => ask("GET", "me"),
  signIn: (name: string): Promise<Person> => ask("POST", "session", { name }),
  signOut: (): Promise<unknown> => ask("DELETE", "session"),
};

async function ask<T>(method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(`/api/${path}`, {
    method,
    ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(10_000),
  });
  const reply: unknown = await response.json().catch(() => undefined);
  if (response.ok) return reply as T;
  const { error } = (reply ?? {}) as { error?: { message?: string } };
  throw new Refused(response.status, error?.message ?? `The backend answered ${response.status}`);
}

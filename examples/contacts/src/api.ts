import { asObject, BellwireError } from "@bellwire/protocol";
import type { Emitter } from "@bellwire/emitter";
import { readText } from "./body.js";
import { Contacts, parseFields, type Alert, type Contact } from "./contacts.js";
import { closeTabs, ring } from "./realtime.js";
import type { Sessions } from "./sessions.js";
import { findUser, users, type User } from "./users.js";

const MAX_BODY = 16 * 1024;

/** The relay as a page reaches it that needs no token. */
export interface DirectRelay {
  readonly url: string;
}

/** The application's own REST API, which knows nothing of sockets: it only rings when something changed. */
export class Api {
  readonly #sessions: Sessions;
  readonly #emitter: Emitter;
  readonly #relay: DirectRelay | undefined;
  readonly #sites = new Map<string, Contacts>();

  /** @param relay where the page connects without tokens; undefined where it asks for some */
  constructor(sessions: Sessions, emitter: Emitter, relay: DirectRelay | undefined) {
    this.#sessions = sessions;
    this.#emitter = emitter;
    this.#relay = relay;
  }

  /** @throws BellwireError */
  async handle(request: Request, path: string): Promise<Response> {
    const [, id] = /^\/api\/contacts\/(\d{1,9})$/.exec(path) ?? [];
    const route = `${request.method} ${id === undefined ? path : "/api/contacts/:id"}`;
    switch (route) {
      case "GET /api/users":
        return Response.json(users);
      case "POST /api/session":
        return this.#signIn(await readJson(request), request.headers);
      case "DELETE /api/session":
        return this.#signOut(request.headers);
    }
    const user = this.#user(request);
    const contacts = this.#of(user.site);
    switch (route) {
      case "GET /api/me":
        return Response.json({ ...user, colleagues: users.filter(({ site }) => site === user.site), relay: this.#relay });
      case "GET /api/contacts":
        return Response.json(contacts.all());
      case "GET /api/contacts/:id":
        return Response.json(known(contacts, id));
      case "PUT /api/contacts/:id":
        return Response.json(this.#update(user, known(contacts, id), await readJson(request)));
      case "DELETE /api/contacts/:id":
        this.#delete(user, known(contacts, id));
        return Response.json({});
      case "GET /api/alerts":
        if (!user.admin) throw new BellwireError("forbidden", "Alerts are for admins");
        return Response.json(contacts.alerts());
    }
    throw new BellwireError("not-found", "There is nothing here");
  }

  #signIn(body: Record<string, unknown>, headers: Headers): Response {
    const user = findUser(body.user);
    if (user === undefined) throw new BellwireError("bad-request", "There is no such user");
    return withCookies(Response.json(user), this.#sessions.signIn(user, headers));
  }

  #signOut(headers: Headers): Response {
    const { ended, cookies } = this.#sessions.signOut(headers);
    if (ended !== undefined) closeTabs(this.#emitter, ended);
    return withCookies(Response.json({}), cookies);
  }

  #update(user: User, before: Contact, body: Record<string, unknown>): Contact {
    const after = this.#of(user.site).update(before.id, parseFields(body), user.id);
    this.#changed(user, before, after.email === before.email ? undefined : "email");
    return after;
  }

  #delete(user: User, contact: Contact): void {
    this.#of(user.site).delete(contact.id);
    this.#changed(user, contact, "deleted");
  }

  #changed(user: User, contact: Contact, action: Alert["action"] | undefined): void {
    if (action !== undefined) this.#of(user.site).alert({ at: Date.now(), by: user.id, action, contact: contact.name });
    ring(this.#emitter, user, contact.id, action);
  }

  #user(request: Request): User {
    const session = this.#sessions.find(request.headers);
    if (session === undefined) throw new BellwireError("token-missing", "Sign in first");
    return session.user;
  }

  #of(site: string): Contacts {
    let contacts = this.#sites.get(site);
    if (contacts === undefined) this.#sites.set(site, (contacts = new Contacts(`${site}.example`)));
    return contacts;
  }
}

function known(contacts: Contacts, id: string | undefined): Contact {
  const contact = contacts.get(Number(id));
  if (contact === undefined) throw new BellwireError("not-found", "There is no such contact");
  return contact;
}

async function readJson(request: Request): Promise<Record<string, unknown>> {
  // A form on a foreign page can't send this type, and so can't act for whoever is signed in.
  if (!request.headers.get("content-type")?.startsWith("application/json")) throw new BellwireError("bad-request", "Send JSON");
  const text = await readText(request, MAX_BODY);
  let body: Record<string, unknown> | undefined;
  try {
    body = asObject(JSON.parse(text));
  } catch {
    // said below
  }
  if (body === undefined) throw new BellwireError("bad-request", "Send a JSON object");
  return body;
}

/** Adds cookies to a response. */
export function withCookies(response: Response, cookies: readonly string[]): Response {
  for (const cookie of cookies) response.headers.append("set-cookie", cookie);
  return response;
}

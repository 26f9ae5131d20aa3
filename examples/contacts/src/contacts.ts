import { BellwireError } from "@bellwire/protocol";

/** What people edit. */
export interface ContactFields {
  readonly name: string;
  readonly email: string;
  readonly phone: string;
}

export interface Contact extends ContactFields {
  readonly id: number;
  /** The id of the user who changed it last. */
  readonly updatedBy: string | null;
}

/** Something that admins should know. */
export interface Alert {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly by: string;
  readonly action: "email" | "deleted";
  readonly contact: string;
}

const NAMES = [
  "Ada Lovelace",
  "Alan Turing",
  "Grace Hopper",
  "Edsger Dijkstra",
  "Barbara Liskov",
  "Donald Knuth",
  "Frances Allen",
  "Tony Hoare",
];
const MAX_ALERTS = 20;

/** The contacts of one site, in memory. Ids are the same on every site: only the site tells them apart. */
export class Contacts {
  readonly #byId: Map<number, Contact>;
  readonly #alerts: Alert[] = [];

  /** @param domain of the example addresses */
  constructor(domain: string) {
    this.#byId = new Map(
      NAMES.map((name, i) => {
        const email = `${name.split(" ")[0]?.toLowerCase()}@${domain}`;
        return [i + 1, { id: i + 1, name, email, phone: `+44 20 7946 0${100 + i}`, updatedBy: null }];
      }),
    );
  }

  all(): Contact[] {
    return [...this.#byId.values()];
  }

  get(id: number): Contact | undefined {
    return this.#byId.get(id);
  }

  update(id: number, fields: ContactFields, by: string): Contact {
    const contact: Contact = { ...fields, id, updatedBy: by };
    this.#byId.set(id, contact);
    return contact;
  }

  delete(id: number): void {
    this.#byId.delete(id);
  }

  /** The newest first. */
  alerts(): readonly Alert[] {
    return this.#alerts;
  }

  alert(alert: Alert): void {
    this.#alerts.unshift(alert);
    this.#alerts.length = Math.min(this.#alerts.length, MAX_ALERTS);
  }
}

/** @throws BellwireError `bad-request` in words for the person at the form; its `reason.code` is the field's name */
export function parseFields(source: Record<string, unknown>): ContactFields {
  const name = text(source, "name", 100);
  const email = text(source, "email", 200);
  const phone = text(source, "phone", 40);
  if (name === "") throw refuse("name", "A contact needs a name");
  if (!/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email)) throw refuse("email", "This is not an email address");
  return { name, email, phone };
}

function text(source: Record<string, unknown>, name: string, longest: number): string {
  const value = source[name] ?? "";
  if (typeof value !== "string") throw refuse(name, "This has to be text");
  if (value.length > longest) throw refuse(name, `At most ${longest} characters`);
  return value.trim();
}

function refuse(field: string, message: string): BellwireError {
  return new BellwireError("bad-request", message, { reason: { code: field } });
}

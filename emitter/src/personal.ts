import { createHash } from "node:crypto";
import { BellwireError, isWellFormed, limits, utf8Length } from "@bellwire/protocol";
import { shown } from "./identifier.js";

/** Who has a log of their own. */
export type PersonalKind = "user" | "session";

/** A user or a session, by id. */
export interface Addressee {
  readonly kind: PersonalKind;
  readonly id: string;
}

/**
 * The name of a user's or session's own topic on each site, `$user:<hash>` or `$session:<hash>`: an id may hold what names can't.
 * Its owner sees it as `$user` or `$session`. The hash is SHA-256 of the id's UTF-8, in base64url without padding.
 */
export function personalTopic(kind: PersonalKind, id: string): string {
  return `$${kind}:${subjectHash(id)}`;
}

/** What stands for an id in names: 43 characters of A-Z a-z 0-9 _ -. */
export function subjectHash(id: string): string {
  return createHash("sha256").update(id).digest("base64url");
}

/** Checks an id that a message is addressed to. @throws BellwireError `bad-request` */
export function parseAddressee(kind: PersonalKind, id: unknown): Addressee {
  // The length first: what is far too long is not even looked at.
  const good = typeof id === "string" && id !== "" && id.length <= limits.subjectBytes && utf8Length(id) <= limits.subjectBytes;
  if (good && isWellFormed(id)) return { kind, id };
  throw new BellwireError("bad-request", `A ${kind} is a string of 1 to ${limits.subjectBytes} bytes, not ${shown(id)}`);
}

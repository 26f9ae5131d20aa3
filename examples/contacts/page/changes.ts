import type { Contact } from "./backend.js";

const FIELDS = ["name", "email", "phone"] as const;

/** The fields that differ. */
export function changedFields(before: Contact | undefined, after: Contact | undefined): string[] {
  if (before === undefined || after === undefined) return [];
  return FIELDS.filter((field) => before[field] !== after[field]);
}

/** E.g. "Ben changed Ada Lovelace (email)". */
export function describeChange(who: string, before: Contact | undefined, after: Contact | undefined): string {
  if (after === undefined) return `${who} deleted ${before?.name ?? "a contact"}`;
  const fields = changedFields(before, after);
  return `${who} changed ${before?.name ?? after.name}${fields.length === 0 ? "" : ` (${fields.join(", ")})`}`;
}

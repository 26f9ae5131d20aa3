import type { Client, Filter } from "@bellwire/client";
import { backend, type Contact } from "./backend.js";
import { changedFields, describeChange } from "./changes.js";
import { perKey } from "./per-key.js";

export interface Watching {
  readonly client: Client;
  readonly me: string;
  /** What this tab knows, by id. */
  readonly contacts: Map<number, Contact>;
  readonly nameOf: (user: unknown) => string;
  /** Says who changed what. */
  readonly announce: (text: string) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Watches contacts for as long as a view is open: all of them, or those of a filter. A message only says which contact changed;
 * the contact itself comes from the REST API.
 * @param onChanged called after a contact was fetched; `after` is undefined where it is gone
 * @param onResync called when something may have been missed: fetch everything shown
 * @returns ends the watching
 */
export function watchContacts(
  { client, me, contacts, nameOf, announce, fail }: Watching,
  filter: Filter | undefined,
  onChanged: (id: number, after: Contact | undefined, by: string) => void,
  onResync: () => unknown,
): () => void {
  let open = true;
  const refetch = perKey<number, { by: unknown; live: boolean }>(async (id, { by, live }) => {
    try {
      const after = await backend.contact(id);
      if (!open) return;
      const before = contacts.get(id);
      if (after === undefined) contacts.delete(id);
      else contacts.set(id, after);
      const news = changedFields(before, after).length > 0 || (before !== undefined && after === undefined);
      // What this tab did itself, or has loaded already, is no news; what others do always is.
      if (news || (live && by !== me && after !== undefined)) announce(describeChange(by === me ? "You" : nameOf(by), before, after));
      if (news || live) onChanged(id, after, nameOf(by));
    } catch (error) {
      fail(error);
    }
  });
  const subscription = client.subscribe(
    "Contact_Updated_Topic",
    filter,
    (message) => {
      if (message.resync) return; // onResync takes these
      const { data, replay } = message;
      if (typeof data.id === "number") refetch(data.id, { by: data.updated_by, live: !replay });
    },
    { onResync },
  );
  return () => {
    open = false;
    subscription.unsubscribe();
  };
}

import { backend, type Contact } from "./backend.js";
import { element, flash } from "./element.js";
import { watchContacts, type Watching } from "./watch-contacts.js";

/** Shows all contacts. Returns what ends the view. */
export function showList(view: HTMLElement, watching: Watching): () => void {
  const { contacts, nameOf, fail } = watching;
  const rows = new Map<number, HTMLTableRowElement>();
  const body = element("tbody");
  const head = element("tr", {}, heading("Name"), heading("Email"), heading("Phone", "secondary"), heading("Last change", "secondary"));
  view.replaceChildren(element("h1", {}, "All contacts"), element("table", {}, element("thead", {}, head), body));

  const draw = (id: number, contact: Contact | undefined): HTMLTableRowElement | undefined => {
    const old = rows.get(id);
    if (contact === undefined) {
      old?.remove();
      rows.delete(id);
      return undefined;
    }
    const row = rowOf(contact, contact.updatedBy === null ? "" : nameOf(contact.updatedBy));
    if (old === undefined) body.append(row);
    else old.replaceWith(row);
    rows.set(id, row);
    return row;
  };
  const load = async (): Promise<void> => {
    try {
      const all = await backend.contacts();
      contacts.clear();
      for (const contact of all) contacts.set(contact.id, contact);
      for (const id of rows.keys()) if (!contacts.has(id)) draw(id, undefined);
      for (const contact of all) draw(contact.id, contact);
    } catch (error) {
      fail(error);
    }
  };
  // Subscribed first: what changes while the list is on its way is told, and fetched again.
  const leave = watchContacts(
    watching,
    undefined,
    (id, after) => {
      const row = draw(id, after);
      if (row !== undefined) flash(row);
    },
    load,
  );
  void load();
  return leave;
}

/** @param kind "secondary" for what narrow screens leave out */
function heading(text: string, kind = ""): HTMLElement {
  return element("th", { scope: "col", class: kind }, text);
}

function rowOf({ id, name, email, phone }: Contact, changedBy: string): HTMLTableRowElement {
  return element(
    "tr",
    { "data-testid": `contact-${id}` },
    element("td", {}, element("a", { href: `#/contacts/${id}` }, name)),
    element("td", {}, email),
    element("td", { class: "secondary" }, phone),
    element("td", { class: "secondary" }, changedBy),
  );
}

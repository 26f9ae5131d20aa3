import { backend, Refused, type Contact, type ContactFields } from "./backend.js";
import { changedFields, describeChange } from "./changes.js";
import { element, flash } from "./element.js";
import { watchContacts, type Watching } from "./watch-contacts.js";

const FIELDS = [
  ["name", "Name", "text"],
  ["email", "Email", "email"],
  ["phone", "Phone", "tel"],
] as const;

type Field = (typeof FIELDS)[number][0];

/** Shows one contact for editing. Returns what ends the view. */
export function showDetail(view: HTMLElement, id: number, watching: Watching): () => void {
  const { contacts, announce, fail } = watching;
  const title = element("h1", {}, "Contact");
  const inputs = Object.fromEntries(
    FIELDS.map(([name, , type]) => [name, element("input", { id: name, name, type, autocomplete: "off" })]),
  ) as Record<Field, HTMLInputElement>;
  const save = element("button", { id: "save", type: "submit" }, "Save");
  const remove = element("button", { id: "delete", type: "button", class: "danger" }, "Delete");
  const message = element("p", { class: "message", role: "status", "data-testid": "message" });
  const labels = FIELDS.map(([name, label]) => element("label", {}, label, inputs[name]));
  const form = element("form", { novalidate: true }, ...labels, element("div", { class: "row" }, save, remove), message);
  view.replaceChildren(element("p", {}, element("a", { href: "#/" }, "All contacts")), title, form);
  /** What the inputs were last filled with: what differs from it was typed here. */
  let shown: Contact | undefined;

  const say = (text: string, error = false): void => {
    message.textContent = text;
    message.classList.toggle("error", error);
  };
  const enable = (on: boolean): void => {
    for (const control of [...Object.values(inputs), save, remove]) control.disabled = !on;
  };
  /** Fills in what nobody is editing here. Returns whether something typed was kept. */
  const fill = (contact: Contact): boolean => {
    let kept = false;
    for (const [name] of FIELDS) {
      const typed = shown !== undefined && inputs[name].value !== shown[name] && inputs[name].value !== contact[name];
      if (typed) kept = true;
      else inputs[name].value = contact[name];
    }
    title.textContent = contact.name;
    shown = contact;
    return kept;
  };
  const gone = (text: string): void => {
    enable(false);
    say(text, true);
  };
  const load = async (): Promise<void> => {
    try {
      const contact = await backend.contact(id);
      if (contact === undefined) return gone("There is no such contact.");
      contacts.set(id, contact);
      fill(contact);
      enable(true);
    } catch (error) {
      fail(error);
    }
  };
  const submit = async (): Promise<void> => {
    enable(false);
    try {
      const fields = Object.fromEntries(FIELDS.map(([name]) => [name, inputs[name].value])) as Record<
        Field,
        string
      > satisfies ContactFields;
      const saved = await backend.save(id, fields);
      // The message may have been faster than the answer, and have said it already.
      if (changedFields(contacts.get(id), saved).length > 0) announce(describeChange("You", contacts.get(id), saved));
      contacts.set(id, saved);
      shown = undefined;
      fill(saved);
      mark(undefined);
      say("Saved.");
    } catch (error) {
      if (!(error instanceof Refused) || error.status >= 500 || error.status === 401) fail(error);
      else {
        mark(error.field);
        say(error.message, true);
      }
    }
    enable(true);
  };
  const mark = (field: string | undefined): void => {
    for (const [name] of FIELDS) inputs[name].setAttribute("aria-invalid", String(name === field));
    if (field !== undefined) inputs[field as Field]?.focus();
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });
  // Pressed twice, so that nothing goes by mistake.
  remove.addEventListener("click", () => {
    if (remove.textContent === "Delete") {
      remove.textContent = "Really delete?";
      return;
    }
    enable(false);
    void backend.remove(id).then(() => {
      // As above: unless the message has said it already.
      if (contacts.has(id)) announce(describeChange("You", contacts.get(id), undefined));
      contacts.delete(id);
      location.assign("#/");
    }, fail);
  });

  remove.addEventListener("blur", () => {
    remove.textContent = "Delete";
  });

  enable(false);
  const leave = watchContacts(
    watching,
    { id },
    (_, after, by) => {
      if (after === undefined) return gone(`${by} deleted this contact.`);
      const kept = fill(after);
      flash(title);
      if (kept) say(`${by} changed this contact. What you have typed is kept.`);
    },
    load,
  );
  void load();
  return leave;
}

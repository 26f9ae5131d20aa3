import { backend, type Alert } from "./backend.js";
import { element } from "./element.js";

const MOST = 30;

/** Adds a line above the others. */
export function addLine(list: HTMLElement, text: string, at: number = Date.now()): void {
  list.prepend(lineOf(text, at));
  while (list.childElementCount > MOST) list.lastElementChild?.remove();
}

/** Fetches the alerts and shows them in place of those before. */
export async function showAlerts(list: HTMLElement, nameOf: (user: unknown) => string): Promise<void> {
  const alerts = await backend.alerts();
  list.replaceChildren(...alerts.map((alert) => lineOf(sentence(alert, nameOf(alert.by)), alert.at)));
}

function sentence({ action, contact }: Alert, who: string): string {
  return action === "deleted" ? `${who} deleted ${contact}` : `${who} changed the email of ${contact}`;
}

function lineOf(text: string, at: number): HTMLLIElement {
  const date = new Date(at);
  const clock = date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  return element("li", {}, element("time", { datetime: date.toISOString() }, clock), text);
}

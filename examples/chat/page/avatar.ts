import { element } from "./element.js";
import { hueOf } from "./names.js";

/** A round picture with somebody's first letter. */
export function avatar(id: string, name: string): HTMLElement {
  const made = element(
    "span",
    { class: "avatar", "aria-hidden": "true" },
    (String.fromCodePoint(name.codePointAt(0) ?? 63) || "?").toUpperCase(),
  );
  made.style.setProperty("--hue", String(hueOf(id)));
  return made;
}

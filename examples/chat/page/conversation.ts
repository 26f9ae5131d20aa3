import type { Line } from "../src/rooms.js";
import { avatar } from "./avatar.js";
import { element } from "./element.js";
import type { Names } from "./names.js";

/** Lines of the same person within this many milliseconds stand together. */
const TOGETHER = 180_000;
/** Pixels from the end within which new lines are scrolled to. */
const NEAR = 80;

/** The lines of a room, in order, each once. */
export class Conversation {
  readonly root: HTMLElement = element("ol", { class: "lines", "data-testid": "lines", "aria-live": "polite", tabindex: "0" });
  readonly #me: string;
  readonly #names: Names;
  #lines: Line[] = [];

  constructor(me: string, names: Names) {
    this.#me = me;
    this.#names = names;
  }

  /** Shows what the backend remembers; what came meanwhile stays. */
  load(lines: readonly Line[]): void {
    const known = new Set(lines.map(keyOf));
    this.#lines = [...lines, ...this.#lines.filter((line) => !known.has(keyOf(line)))].sort((a, b) => a.at - b.at);
    this.draw();
    this.root.scrollTop = this.root.scrollHeight;
  }

  add(line: Line): void {
    if (this.#lines.some((other) => keyOf(other) === keyOf(line))) return;
    const follow = line.by === this.#me || this.root.scrollHeight - this.root.scrollTop - this.root.clientHeight < NEAR;
    this.root.append(this.#item(line, this.#lines.at(-1)));
    this.#lines.push(line);
    if (follow) this.root.scrollTop = this.root.scrollHeight;
  }

  /** Draws all of it, as when somebody has another name. */
  draw(): void {
    this.root.replaceChildren(...this.#lines.map((line, i) => this.#item(line, this.#lines[i - 1])));
  }

  #item(line: Line, before: Line | undefined): HTMLElement {
    const { by, text, at } = line;
    const name = this.#names.has(by) ? this.#names.of(by) : line.name;
    const date = new Date(at);
    const clock = element(
      "time",
      { datetime: date.toISOString() },
      date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" }),
    );
    const goesOn = before?.by === by && at - before.at < TOGETHER;
    const bubble = element("p", { class: "bubble" }, text);
    const head = goesOn ? [] : [element("p", { class: "by" }, element("b", {}, name), clock)];
    const side = goesOn ? element("span", { class: "avatar none" }) : avatar(by, name);
    const kind = `line${by === this.#me ? " mine" : ""}${goesOn ? " goes-on" : ""}`;
    return element("li", { class: kind }, side, element("div", { class: "said" }, ...head, bubble));
  }
}

function keyOf({ by, id }: Line): string {
  return `${by} ${id}`;
}

/** A line as a message brings it; undefined for anything else. */
export function readLine(data: { readonly [key: string]: unknown }): Line | undefined {
  const { id, by, name, text, at } = data;
  const fits = [id, by, name, text].every((value) => typeof value === "string") && typeof at === "number";
  return fits ? ({ id, by, name, text, at } as Line) : undefined;
}

import type { Position } from "@bellwire/protocol";
import type { Message, Resync } from "../api.js";
import { getDefaultClient } from "../default-client.js";
import { createRefetch } from "../refetch/refetch.js";
import type { PendingFilter } from "../topics.js";
import { createWatch } from "../watch/watch.js";
import { watchKey } from "../watch/watch-key.js";

/** On a server there are no elements, and importing this must not fail. */
const Base: typeof HTMLElement = (globalThis as { HTMLElement?: typeof HTMLElement }).HTMLElement ?? (class {} as typeof HTMLElement);

/**
 * Watches a topic while it is in the page, and says so in plain DOM events that bubble: `bellwire-message` with the message as `detail`,
 * `bellwire-resync`, and `bellwire-change` for both. The attribute `status` shows the subscription's. Attributes:
 * - `topic`; `filter-<key>`, JSON where it is JSON (`5`, `true`, `[5,6]`), else text; or all of it as JSON in `filter`
 * - `replay`: `page` (the default), `true` or `false`; `since`: a position as JSON, else that of `<meta name="bellwire-positions">`
 * - `data-refetch`: a URL whose HTML takes the place of the element's content, or of what `data-target` selects, after each change
 */
export class BellwireTopicElement extends Base {
  #key = "";
  #show: () => void = () => {};
  #stop: (() => void) | undefined;
  #observer: MutationObserver | undefined;
  readonly #refetch: () => void = createRefetch(() => this.#fetch());

  connectedCallback(): void {
    this.#observer = new MutationObserver(() => this.#follow());
    this.#observer.observe(this, { attributes: true });
    this.#follow();
  }

  disconnectedCallback(): void {
    this.#observer?.disconnect();
    this.#stop?.();
    this.#key = "";
  }

  #follow(): void {
    const topic = this.getAttribute("topic");
    const filter = this.#filter();
    const since = read(this.getAttribute("since")) as Position | undefined;
    const options = { replay: replayOf(this.getAttribute("replay")), since: since ?? positionOf(topic) };
    const key = topic + watchKey(filter, options);
    // A morph of the page takes away what the server did not write.
    if (key === this.#key) return this.#show();
    this.#key = key;
    this.#stop?.();
    const watch = createWatch<string, object>(getDefaultClient(), topic, filter, (event) => this.#tell(event), options);
    this.#show = () => {
      const { status } = watch.current;
      if (this.getAttribute("status") !== status) this.setAttribute("status", status);
    };
    this.#stop = watch.subscribe(() => this.#show());
    this.#show();
  }

  #filter(): PendingFilter {
    const filter = { ...(read(this.getAttribute("filter")) as PendingFilter | undefined) };
    for (const { name, value } of this.attributes) if (name.startsWith("filter-")) Object.assign(filter, { [name.slice(7)]: read(value) });
    return filter;
  }

  #tell(event: Message | Resync): void {
    for (const name of [event.resync ? "resync" : "message", "change"]) {
      this.dispatchEvent(new CustomEvent(`bellwire-${name}`, { bubbles: true, composed: true, detail: event }));
    }
    this.#refetch();
  }

  async #fetch(): Promise<void> {
    const { refetch, target } = this.dataset;
    if (refetch === undefined || !this.isConnected) return;
    const response = await fetch(refetch, { headers: { accept: "text/html" } });
    if (!response.ok) throw new Error(`data-refetch: ${refetch} answered ${response.status}`);
    const html = await response.text();
    const place = target === undefined ? this : document.querySelector(target);
    if (place === null) throw new Error(`data-target: there is no ${target}`);
    // Else another fragment was asked for meanwhile.
    if (refetch === this.dataset.refetch) place.innerHTML = html;
    else this.#refetch();
  }
}

/** Undefined where there is nothing yet: then nothing is subscribed. */
function read(text: string | null): unknown {
  if (!text) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function replayOf(text: string | null): boolean | "page" {
  return text === "true" || (text !== "false" && "page");
}

function positionOf(topic: string | null): Position | undefined {
  const positions = read(document.querySelector<HTMLMetaElement>("meta[name=bellwire-positions]")?.content ?? null);
  return Array.isArray(positions) ? positions.find((position: { topic?: unknown } | null) => position?.topic === topic) : undefined;
}

if (typeof customElements !== "undefined" && customElements.get("bellwire-topic") === undefined) {
  customElements.define("bellwire-topic", BellwireTopicElement);
}

import type { Client, ClientEvents } from "@bellwire/client";
import { avatar } from "./avatar.js";
import { element } from "./element.js";
import type { Names } from "./names.js";
import { onceMore } from "./once-more.js";

type PresenceChange = ClientEvents["presence"];
type Someone = PresenceChange["joined"][number];

/** How often, and how long apart in milliseconds, the question is put again while the subscription is on its way. */
const ATTEMPTS = 5;
const PAUSE = 400;

/** Shows who is in a room, for as long as it is open. */
export class PeopleHere {
  readonly root: HTMLElement;
  readonly #client: Client;
  readonly #topic: string;
  readonly #me: string;
  readonly #names: Names;
  readonly #list = element("ul", { class: "people", "data-testid": "people" });
  readonly #count = element("small");
  readonly #here = new Set<string>();
  readonly #ask: () => void;
  readonly #stops: (() => void)[];
  #closed = false;

  constructor(client: Client, topic: string, me: string, names: Names) {
    this.#client = client;
    this.#topic = topic;
    this.#me = me;
    this.#names = names;
    this.root = element("section", { class: "here", hidden: true }, element("h2", {}, "Here now ", this.#count), this.#list);
    this.#ask = onceMore(
      () => this.#load(),
      () => (this.root.hidden = true),
    );
    this.#stops = [
      client.on("presence", (change) => change.topic === topic && this.#change(change)),
      // What was told meanwhile is lost.
      client.onState((state) => state === "connected" && this.#ask()),
    ];
  }

  /** To be called when the room's subscription is there: only subscribers may ask. */
  start(): void {
    this.#ask();
  }

  async #load(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        const { users } = await this.#client.presence(this.#topic);
        this.#here.clear();
        this.#join(users);
        this.draw();
        return;
      } catch (error) {
        if (this.#closed || attempt === ATTEMPTS || (error as { code?: string }).code !== "forbidden") throw error;
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    }
  }

  #change({ joined, left }: PresenceChange): void {
    this.#join(joined);
    for (const { user } of left) this.#here.delete(user);
    this.draw();
  }

  #join(users: readonly Someone[]): void {
    for (const { user, info } of users) {
      this.#here.add(user);
      const { name } = (info ?? {}) as { name?: unknown };
      // Only what it says of people unknown: it may be older than their last change of name.
      if (typeof name === "string" && !this.#names.has(user)) this.#names.set(user, name);
    }
  }

  draw(): void {
    const people = [...this.#here].map((id) => ({ id, name: this.#names.of(id) })).sort((a, b) => a.name.localeCompare(b.name));
    this.#list.replaceChildren(
      ...people.map(({ id, name }) => element("li", {}, avatar(id, name), id === this.#me ? `${name} (you)` : name)),
    );
    this.#count.textContent = String(people.length);
    this.root.hidden = people.length === 0;
  }

  close(): void {
    this.#closed = true;
    for (const stop of this.#stops) stop();
  }
}

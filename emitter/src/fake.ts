import type { JsonObject, Position } from "@bellwire/protocol";
import type { Command } from "./control/command.js";
import type { Publication, Transport } from "./transport.js";
import type { PublishOptions } from "./message.js";

/** One message that would have gone to a topic's log. */
export interface Published {
  readonly site: string;
  /** `$user` or `$session` where it went to one of them. */
  readonly topic: string;
  /** Of a message to one user: whom. */
  readonly user?: string;
  /** Of a message to one session: which. */
  readonly session?: string;
  /** As it would arrive: what JSON keeps of it. */
  readonly data: JsonObject;
  readonly options: PublishOptions;
}

/** What `emitter.fake()` returns: a recording in place of the network, for unit tests. */
export interface Fake {
  /** In order of publication; a repeated idempotencyKey is not there again. */
  readonly published: readonly Published[];
  /** In order: what relays would have been told, e.g. `{kind: "disconnect", site: "5", user: "3"}`. */
  readonly commands: readonly Command[];
  /** Forgets what was published and told, and begins offsets and idempotency keys anew. */
  clear(): void;
  /** Publishes for real again. */
  restore(): void;
}

/** Records messages and commands; offsets rise per site and topic, from 1, in the epoch "fake". */
export class Recording implements Transport {
  readonly published: Published[] = [];
  readonly commands: Command[] = [];
  readonly #offsets = new Map<string, number>();
  readonly #known = new Map<string, Position>();

  async append({ site, topic, data, id, idempotent, except, addressee }: Publication): Promise<Position> {
    const log = `${site}:${topic}`;
    const known = idempotent ? this.#known.get(`${log}\n${id}`) : undefined;
    if (known !== undefined) return known;
    const options = { ...(idempotent ? { idempotencyKey: id } : {}), ...(except === undefined ? {} : { except }) };
    const to = addressee === undefined ? { topic } : { topic: `$${addressee.kind}`, [addressee.kind]: addressee.id };
    this.published.push({ site, ...to, data: JSON.parse(data) as JsonObject, options });
    const position = { epoch: "fake", offset: (this.#offsets.get(log) ?? 0) + 1 };
    this.#offsets.set(log, position.offset);
    if (idempotent) this.#known.set(`${log}\n${id}`, position);
    return position;
  }

  async control(command: Command): Promise<void> {
    this.commands.push(command);
  }

  clear(): void {
    this.published.length = 0;
    this.commands.length = 0;
    this.#offsets.clear();
    this.#known.clear();
  }

  async close(): Promise<void> {}
}

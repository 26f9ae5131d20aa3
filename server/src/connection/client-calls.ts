import { asObject, BellwireError, parseTopic, type JsonObject, type Position } from "@bellwire/protocol";
import { encodeData, makePublication } from "@bellwire/emitter/publication";
import type { Settings } from "../config/settings.js";
import { UNGRANTED, type Hooks } from "../hooks/hooks.js";
import { ungranted } from "../hooks/ungranted.js";
import type { TopicLog } from "../stores/log.js";
import { appendCounted } from "../observe/counted-append.js";
import type { Stats } from "../observe/stats.js";
import type { Connection } from "./connection.js";

export interface ClientCallsOptions {
  readonly hooks: Hooks;
  readonly log: Pick<TopicLog, "append">;
  readonly stats: Stats;
  readonly settings: Pick<Settings, "of">;
  /** Do the connection's grants allow it to publish this? */
  readonly mayPublish: (connection: Connection, topic: string, data: JsonObject) => boolean;
}

/** Calls that one connection may have under way. */
const MOST_AT_ONCE = 100;
const MAX_METHOD = 128;

/** What clients ask of the backend through the relay: to publish, and to call a method. */
export class ClientCalls {
  readonly #options: ClientCallsOptions;
  readonly #underWay = new WeakMap<Connection, number>();

  constructor(options: ClientCallsOptions) {
    this.#options = options;
  }

  /**
   * `publish({topic, data})`: where the topic allows it, and either a grant of the connection does too, or the publish hook says yes,
   * or the topic is anyone's. Where there is a hook for the topic, that has the last word.
   * @returns where the message stands, or `{handled: true}` where the backend kept it to itself
   */
  async publish(connection: Connection, request: unknown): Promise<Position | { readonly handled: true }> {
    const source = asObject(request);
    if (source === undefined) throw new BellwireError("bad-request", "publish takes {topic, data}");
    const topic = parseTopic(source.topic);
    const settings = this.#options.settings.of(connection.site);
    if (!settings.topic(topic).publish) throw new BellwireError("forbidden", "Clients can't publish to this topic");
    const text = encodeData(source.data ?? {}, settings.limits.dataBytes);
    return this.#bounded(connection, () => this.#publish(connection, topic, text));
  }

  async #publish(connection: Connection, topic: string, text: string): Promise<Position | { readonly handled: true }> {
    const { hooks, log, stats, settings, mayPublish } = this.#options;
    const site = settings.of(connection.site);
    const wanted = JSON.parse(text) as JsonObject;
    const allowed = site.topic(topic).publish === "anyone" || mayPublish(connection, topic, wanted);
    const asked = hooks.publish({ ...connection.asker, topic, data: wanted, ...(allowed ? {} : { [UNGRANTED]: true as const }) });
    if (asked === undefined && !allowed) throw ungranted();
    const reply = asked === undefined ? undefined : await asked;
    if (reply?.handled === true) return { handled: true };
    const data = reply?.data === undefined ? text : encodeData(reply.data, site.limits.dataBytes);
    const where = reply?.topic === undefined ? topic : parseTopic(reply.topic);
    return appendCounted(log, stats, "client", makePublication({ site: connection.site, topic: where, data }));
  }

  /** `rpc({method, data})`: answered by the backend, or by a handler in this process. */
  async rpc(connection: Connection, request: unknown): Promise<{ readonly status?: number; readonly data: unknown }> {
    const source = asObject(request);
    const method = source?.method;
    if (typeof method !== "string" || method === "" || method.length > MAX_METHOD) {
      throw new BellwireError("bad-request", `rpc takes {method, data}, the method a string of 1 to ${MAX_METHOD} characters`);
    }
    const { hooks } = this.#options;
    if (!hooks.features.includes("rpc")) {
      throw new BellwireError("unsupported", "This relay answers no rpc: it needs hooks.rpc in its configuration, or a handler");
    }
    return this.#bounded(connection, async () => {
      const asked = hooks.rpc({ ...connection.asker, method, data: source?.data });
      if (asked === undefined) throw new BellwireError("not-found", "There is no such method");
      const { status, data } = await asked;
      return { ...(status === undefined ? {} : { status }), data: data ?? null };
    });
  }

  /** A client that does not wait for answers must not fill the backend's queue alone. */
  async #bounded<T>(connection: Connection, call: () => Promise<T>): Promise<T> {
    const underWay = this.#underWay.get(connection) ?? 0;
    if (underWay >= MOST_AT_ONCE) {
      throw new BellwireError("limit", `At most ${MOST_AT_ONCE} calls of one connection may be under way`, { after: 1000 });
    }
    this.#underWay.set(connection, underWay + 1);
    try {
      return await call();
    } finally {
      const left = (this.#underWay.get(connection) ?? 1) - 1;
      if (left > 0) this.#underWay.set(connection, left);
      else this.#underWay.delete(connection);
    }
  }
}

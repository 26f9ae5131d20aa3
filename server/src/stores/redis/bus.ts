import { createAdapter, type RedisAdapter } from "@socket.io/redis-adapter";
import { Server, type Namespace } from "socket.io";
import {
  COMMAND_EVENT,
  connectClassicSubscriber,
  CONTROL_NAMESPACE,
  RedisCommands,
  redisFailure,
  type Keys,
  type RedisClient,
  type RedisTarget,
} from "@bellwire/emitter/redis";
import { parseCommand, type Command } from "@bellwire/emitter/commands";
import { within } from "@bellwire/emitter/time";
import { asObject, filterObject } from "@bellwire/protocol";
import { isAdapterPayload } from "../../redis/adapter-payload.js";
import type { ControlBus, ControlListener } from "../bus.js";
import { parseCounts, sumCounts, type ClusterCounts, type RelayCounts } from "../counts.js";
import { GuardedPublisher } from "../../redis/guarded-publisher.js";
import { GuardedSubscriber } from "../../redis/guarded-subscriber.js";
import { parseWatchQuestion, type WatchQuestion } from "../watch-question.js";

export interface RedisBusOptions {
  readonly target: RedisTarget;
  readonly keys: Keys;
  /** The log's connection for commands. */
  readonly commands: RedisClient;
  readonly onError: (error: unknown) => void;
}

const SEND_TIMEOUT_MS = 4800;
const ANSWER_MS = 2000;
const COUNTS_EVENT = "counts";
const WATCHED_EVENT = "watched";
const WATCHED_MS = 1000;
// Different questions on their way at once; what is asked beyond them is answered with yes.
const MOST_WATCHED = 1000;

/**
 * The bus of relays that share a Redis: the namespace `/control` with Socket.IO's Redis adapter, for `serverSideEmit` only. Its
 * Socket.IO server has no transport: no client could ever enter.
 */
export class RedisBus implements ControlBus {
  readonly #options: RedisBusOptions;
  readonly #sender: RedisCommands;
  readonly #namespace: Namespace = new Server().of(CONTROL_NAMESPACE);
  #listener: ControlListener | undefined;
  #subscriber: GuardedSubscriber | undefined;
  #adapter: RedisAdapter | undefined;
  #counting: Promise<ClusterCounts> | undefined;
  /** Questions on their way, by their text. */
  readonly #watching = new Map<string, Promise<boolean>>();

  constructor(options: RedisBusOptions) {
    this.#options = options;
    this.#sender = new RedisCommands(options.commands, options.keys);
  }

  start(listener: ControlListener): void {
    this.#listener = listener;
    const { target, keys, commands, onError } = this.#options;
    const namespace = this.#namespace;
    const subscriber = new GuardedSubscriber({
      open: () => connectClassicSubscriber(target, commands),
      accepts: (channel, payload) => isAdapterPayload(channel, payload, [COMMAND_EVENT, COUNTS_EVENT, WATCHED_EVENT]),
      onGarbage: () => listener.garbage(),
      onReady: () => listener.restored(),
      onError,
    });
    this.#subscriber = subscriber;
    // The one for commands follows the master wherever it is; this one follows it.
    let connections = 0;
    commands.on("ready", () => {
      if (connections++ > 0) subscriber.reconnect();
    });
    const publisher = new GuardedPublisher(commands, onError);
    this.#adapter = createAdapter(publisher, subscriber, { key: keys.control(), requestsTimeout: ANSWER_MS })(namespace);
    namespace.adapter = this.#adapter;
    namespace.on(COMMAND_EVENT, (value: unknown) => this.#hear(value));
    namespace.on(COUNTS_EVENT, (...args: unknown[]) => {
      const answer = args[args.length - 1];
      if (typeof answer === "function") (answer as (counts: RelayCounts) => void)(listener.counts());
      else listener.garbage();
    });
    namespace.on(WATCHED_EVENT, (site: unknown, topic: unknown, filter: unknown, answer: unknown) => {
      const question = parseWatchQuestion(site, topic, filter);
      if (question === undefined || typeof answer !== "function") listener.garbage();
      else (answer as (watched: boolean) => void)(listener.watches(question));
    });
  }

  #hear(value: unknown): void {
    const source = asObject(value);
    let command: Command;
    try {
      command = parseCommand(source?.kind, source?.site, source);
    } catch {
      this.#listener?.garbage();
      return;
    }
    this.#listener?.command(command);
  }

  send(command: Command): Promise<void> {
    // Not over the adapter, which leaves its own relay out and tells nobody of a failure.
    return this.#sender.send(command, SEND_TIMEOUT_MS);
  }

  counts(): Promise<ClusterCounts> {
    // Whoever asks meanwhile gets the same answer: no number of requests makes relays ask each other more often.
    this.#counting ??= this.#count().finally(() => {
      this.#counting = undefined;
    });
    return this.#counting;
  }

  async #count(): Promise<ClusterCounts> {
    const namespace = this.#namespace;
    const [adapter, listener] = [this.#adapter as RedisAdapter, this.#listener as ControlListener];
    try {
      const others = Math.max(0, (await adapter.serverCount()) - 1);
      const replies = await within(
        new Promise<unknown[]>((resolve) => {
          namespace.serverSideEmit(COUNTS_EVENT, (_late: unknown, answers: unknown[]) => resolve(answers));
        }),
        ANSWER_MS + 500,
        "Counting",
      );
      const answers = replies.flatMap((reply) => parseCounts(reply) ?? []);
      return sumCounts([listener.counts(), ...answers], Math.max(0, others - answers.length));
    } catch (error) {
      throw redisFailure(error);
    }
  }

  watched(question: WatchQuestion): Promise<boolean> {
    if (this.#listener?.watches(question) !== false) return Promise.resolve(true);
    const { site, topic, filter } = question;
    const key = `${site}:${topic}:${filter.canonical}`;
    let asked = this.#watching.get(key);
    if (asked === undefined) {
      if (this.#watching.size >= MOST_WATCHED) return Promise.resolve(true);
      asked = within(this.#askOthers(question), WATCHED_MS, "Asking who watches")
        .catch(() => true)
        .finally(() => this.#watching.delete(key));
      this.#watching.set(key, asked);
    }
    return asked;
  }

  /** False only where every relay that may be there has said so. */
  async #askOthers({ site, topic, filter }: WatchQuestion): Promise<boolean> {
    const namespace = this.#namespace;
    const { commands, keys } = this.#options;
    const [listening, alive, replies] = await Promise.all([
      (this.#adapter as RedisAdapter).serverCount(),
      // Some may be cut off from commands at this moment, and have their subscribers all the same.
      commands.zcount(keys.relays(), Date.now(), "+inf"),
      new Promise<unknown[]>((resolve) => {
        namespace.serverSideEmit(WATCHED_EVENT, site, topic, filterObject(filter), (_late: unknown, answers: unknown[]) =>
          resolve(answers),
        );
      }),
    ]);
    return replies.length < Math.max(listening, alive) - 1 || replies.some((reply) => reply !== false);
  }

  close(): void {
    this.#subscriber?.close();
  }
}

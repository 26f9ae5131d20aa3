import type { Filter } from "@bellwire/protocol";
import type { Callback, CallbackOf, Client, Message, Resync, SubscribeOptions, Subscription } from "../api.js";
import { uncaught } from "../reporter.js";
import { isKnown } from "../subscriptions/pending.js";
import type { DataOf, PendingFilter, PendingFilterOf, SinglesOf, TopicName, Topics } from "../topics.js";
import { warnOfMissingClient } from "./missing-client.js";
import { StoreListeners, type Store, type WatchError, type WatchStatus } from "./store.js";

/** What is known of a watched topic. Who does not look at a field is not told of its changes. */
export interface Watched<M = Message, R = Resync> {
  readonly status: WatchStatus;
  /** Why `status` is `failed`: a topic or filter that can't be, or a refusal for good. While `pending`: what is in the way. */
  readonly error: WatchError | undefined;
  /** The message heard last. */
  readonly last: M | undefined;
  /** The last notice that something may have been missed, another object each time: fetch again. */
  readonly resync: R | undefined;
}

export type WatchedOf<T, Name extends string> = Watched<Message<DataOf<T, Name>>, Resync<SinglesOf<T, Name>>>;

/** As those of `subscribe`. */
export interface WatchOptions extends Pick<SubscribeOptions, "since"> {
  readonly replay?: SubscribeOptions["replay"] | undefined;
  /** False subscribes nothing. Default true. */
  readonly enabled?: boolean | undefined;
}

/** No topic: nothing is subscribed. */
export type NoTopic = null | undefined | false;

/**
 * Watches a topic while somebody listens to the store. Does nothing before, and never throws: a topic or filter that can't be is its
 * `error`, and goes uncaught where nobody has looked at that.
 *
 * @example
 * const contact = createWatch(client, "Contact_Updated_Topic", { id: 5 }, () => refetch(5));
 * const stop = contact.subscribe(() => console.log(contact.current.status));
 */
export function createWatch<Name extends TopicName<T>, T = Topics>(
  client: Client<T> | undefined,
  topic: Name | NoTopic,
  filter: PendingFilterOf<T, Name> | null | undefined,
  callback?: CallbackOf<T, Name>,
  options?: WatchOptions,
): Store<WatchedOf<T, Name>> {
  const watch = new Watch(
    client as unknown as Untyped | undefined,
    topic || undefined,
    filter as PendingFilter | null | undefined,
    callback as Callback | undefined,
    options,
  );
  return watch as Store<Watched> as Store<WatchedOf<T, Name>>;
}

/** A client to which any name is a topic, whatever the application's types say. */
type Untyped = Client<object>;

class Watch implements Store<Watched> {
  readonly #client: Untyped | undefined;
  readonly #topic: string | undefined;
  readonly #filter: PendingFilter | null | undefined;
  readonly #callback: Callback | undefined;
  readonly #options: WatchOptions;
  readonly #isWanted: boolean;
  readonly #looked = new Set<keyof Watched>();
  readonly #listeners = new StoreListeners(() => this.#start());
  readonly subscribe: (onChange: () => void) => () => void = this.#listeners.subscribe;
  #values: { -readonly [Key in keyof Watched]: Watched[Key] };
  #current: Watched;

  constructor(
    client: Untyped | undefined,
    topic: string | undefined,
    filter: PendingFilter | null | undefined,
    callback: Callback | undefined,
    options: WatchOptions = {},
  ) {
    this.#client = client;
    this.#topic = topic;
    this.#filter = filter;
    this.#callback = callback;
    this.#options = options;
    this.#isWanted = client !== undefined && topic !== undefined && options.enabled !== false && isKnown(filter);
    this.#values = { status: this.#isWanted ? "pending" : "idle", error: undefined, last: undefined, resync: undefined };
    this.#current = this.#shown();
  }

  get current(): Watched {
    return this.#current;
  }

  #start(): () => void {
    const client = this.#client;
    if (client === undefined) warnOfMissingClient();
    if (client === undefined || !this.#isWanted) return () => {};
    const { replay, since } = this.#options;
    let handle: Subscription;
    try {
      handle = client.subscribe(this.#topic as string, this.#filter as Filter, (event) => this.#hear(event), {
        ...(replay === undefined ? {} : { replay }),
        since,
        onState: () => refresh(),
      });
    } catch (error) {
      this.#set({ status: "failed", error: error as WatchError });
      if (!this.#looked.has("error")) uncaught(error);
      return () => {};
    }
    const refresh = (): void => this.#set({ status: handle.state as WatchStatus, error: handle.error });
    const stop = client.onState(refresh);
    refresh();
    return () => {
      stop();
      handle.unsubscribe();
      this.#set({ status: "pending", error: undefined });
    };
  }

  #hear(event: Message | Resync): unknown {
    this.#set(event.resync ? { resync: event } : { last: event });
    return this.#callback?.(event);
  }

  #set(change: Partial<Watched>): void {
    const keys = (Object.keys(change) as (keyof Watched)[]).filter((key) => change[key] !== this.#values[key]);
    if (!keys.some((key) => this.#looked.has(key))) {
      // Nobody can tell that the same object now says something else.
      Object.assign(this.#values, change);
      return;
    }
    this.#values = { ...this.#values, ...change };
    this.#current = this.#shown();
    this.#listeners.tell();
  }

  /** The values as they are now, which note who looks at them. */
  #shown(): Watched {
    const values = this.#values;
    const shown = {} as Watched;
    for (const key of Object.keys(values) as (keyof Watched)[]) {
      const get = (): unknown => {
        this.#looked.add(key);
        return values[key];
      };
      Object.defineProperty(shown, key, { enumerable: true, get });
    }
    return shown;
  }
}

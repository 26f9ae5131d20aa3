import type { PresenceUser } from "@bellwire/protocol";
import type { Client, ClientEvents, Subscribe } from "../api.js";
import type { ClientError } from "../errors.js";
import { isKnown } from "../subscriptions/pending.js";
import { backgroundTimeout } from "../timers.js";
import type { PendingFilter, PendingFilterOf, TopicName, Topics } from "../topics.js";
import { warnOfMissingClient } from "./missing-client.js";
import { StoreListeners, type Store, type WatchError, type WatchStatus } from "./store.js";
import type { NoTopic } from "./watch.js";

/** Who watches a topic. */
export interface Presence {
  /** `pending`: not known yet, or the connection is lost and the list is as it was then. */
  readonly status: WatchStatus;
  readonly error: WatchError | undefined;
  /** Empty where the topic only counts. */
  readonly users: readonly PresenceUser[];
  /** All, the anonymous and those who are not listed among them. */
  readonly count: number;
}

/** Milliseconds until the list is asked for again that was not told. */
const RETRY = 5000;

type Change = ClientEvents["presence"];

const NOBODY: Presence = { status: "idle", error: undefined, users: [], count: 0 };

/**
 * Keeps the list of who watches a topic while somebody listens to the store. Being on the list and seeing it is one: the topic is
 * subscribed meanwhile, without a word of its messages. The list is asked for on each connection, and kept up with what the relay tells.
 *
 * @param filter where the topic may be subscribed only through one
 */
export function createPresenceWatch<Name extends TopicName<T>, T = Topics>(
  client: Client<T> | undefined,
  topic: Name | NoTopic,
  filter?: PendingFilterOf<T, Name> | null,
): Store<Presence> {
  const known = filter as PendingFilter | null | undefined;
  let current = NOBODY;
  const set = (change: Partial<Presence>): void => {
    current = { ...current, ...change };
    listeners.tell();
  };

  function start(): () => void {
    if (client === undefined) warnOfMissingClient();
    if (client === undefined || !topic || !isKnown(known)) return () => {};
    let ended = false;
    /** What came while the list was asked for: it may be older or newer than the answer. */
    let since: Change[] | undefined;
    let again = false;
    const ask = (): void => {
      if (ended) return;
      if (since !== undefined) return void (again = true);
      since = [];
      again = false;
      client
        .presence(topic)
        .then(
          ({ users, count }) => !ended && set((since ?? []).reduce(changed, { status: "subscribed", error: undefined, users, count })),
          (error: ClientError) => {
            if (!ended) set({ error });
            if (error.retry !== "never") backgroundTimeout(ask, error.after ?? RETRY);
          },
        )
        .finally(() => {
          since = undefined;
          if (again) ask();
        });
    };
    set({ status: "pending" });
    try {
      const handle = (client.subscribe as unknown as Subscribe<object>)(topic, known, () => {}, {
        replay: false,
        onState: ({ state, error }) => (state === "subscribed" ? ask() : set({ status: state as WatchStatus, error })),
      });
      const stop = client.on("presence", (change) => {
        if (change.topic !== topic) return;
        if (change.incomplete) ask();
        else if (since !== undefined) since.push(change);
        if (current.status === "subscribed") set(changed(current, change));
      });
      return () => {
        ended = true;
        stop();
        handle.unsubscribe();
      };
    } catch (error) {
      set({ status: "failed", error: error as WatchError });
      return () => {};
    }
  }

  const listeners = new StoreListeners(start);
  return {
    get current() {
      return current;
    },
    subscribe: listeners.subscribe,
  };
}

/** Who has another `info` than before has joined, too. */
function changed(presence: Presence, { joined, left, count = presence.count }: Change): Presence {
  const users = new Map(presence.users.map((user) => [user.user, user]));
  for (const { user } of left) users.delete(user);
  for (const user of joined) users.set(user.user, user);
  return { ...presence, users: [...users.values()], count };
}

import { isOffset, type JsonObject } from "@bellwire/protocol";
import { createAnnounce } from "./announce.js";
import type { Client, ClientEvents, State } from "./api.js";
import { Calls } from "./calls.js";
import { createBackoff } from "./connection/backoff.js";
import { Connection } from "./connection/connection.js";
import { Handshake } from "./connection/handshake.js";
import { ClientError } from "./errors.js";
import { Identity } from "./identity.js";
import { Listeners } from "./listeners.js";
import type { ClientOptions } from "./options.js";
import { createQuestions, readUsers } from "./questions.js";
import { randomId } from "./random-id.js";
import { reachOf } from "./reach.js";
import { createRefresh } from "./refresh.js";
import { createReporter, uncaught } from "./reporter.js";
import { Held } from "./subscriptions/held.js";
import { createReceiver } from "./subscriptions/receiver.js";
import { Registry } from "./subscriptions/registry.js";
import { Retries } from "./subscriptions/retries.js";
import { Sender } from "./subscriptions/sender.js";
import { createSubscribe } from "./subscriptions/subscribe.js";
import { TopicIndex } from "./subscriptions/topic-index.js";
import { createTokenSource } from "./tokens/create-token-source.js";
import type { Topics } from "./topics.js";

const LINGER = 1000;

/**
 * Creates a client. With the default options it opens nothing before the first subscription; on a server, where a relative
 * endpoint leads nowhere, it never does and its state is `off`.
 *
 * @example
 * const bellwire = createClient({ endpoint: "/realtime" });
 * const subscription = bellwire.subscribe("Contact_Updated_Topic", { id: 5 }, ({ data }) => refetch(data.id));
 * subscription.unsubscribe();
 *
 * @throws BellwireError `bad-request` where the options lead nowhere
 */
export function createClient<T = Topics>(options: ClientOptions): Client<T> {
  const { endpoint, base, reachable } = reachOf(options);
  const { url, site, data, reconnect, linger = LINGER } = options;
  const random = reconnect?.random ?? Math.random;
  const client = randomId();
  let hello: JsonObject = {};
  /** Milliseconds that the relay's clock is ahead of this one. */
  let ahead = 0;
  const ageOf = (time: number): number => Math.max(0, Date.now() + ahead - time);

  const listeners = new Listeners<ClientEvents>();
  const listener = (error: Error): boolean => listeners.emit("error", error, uncaught);
  const { report, whole } = createReporter(options.onError, listener, () =>
    registry.all().flatMap(({ topic, status }) => (status === "subscribed" ? [] : [topic])),
  );
  const emit = <Name extends keyof ClientEvents>(name: Name, event: ClientEvents[Name]): boolean => listeners.emit(name, event, report);

  const backoff = createBackoff(reconnect);
  const identity = new Identity();
  const tokens = createTokenSource(options, endpoint, (token) => {
    if (!identity.isNewToken(token)) return;
    forget();
    connection.renew();
  });
  const topics = new TopicIndex();
  const registry = new Registry({ topics, linger, random, ageOf, onRetired: (id) => sender.unsubscribe(id) });
  const retries = new Retries({
    backoff,
    report,
    renewable: tokens.subscriptions !== undefined,
    fail: (wire, error) => registry.fail(wire, error),
    again: () => sender.schedule(),
  });
  const sender = new Sender({ registry, retries, subscriptions: tokens.subscriptions, demand: () => demand(), whole });
  const held = new Held({ topics, random, emit, report });
  const calls = new Calls();
  const refresh = createRefresh(tokens, registry, report);
  const handshake = new Handshake({ tokens, url, site, base, claim: () => sender.claim() });
  const receive = createReceiver({
    topics,
    registry,
    retries,
    held,
    onTicket: (ticket) => (handshake.ticket = ticket),
    onExpiring: (event) => connection.link && refresh(event, connection.link),
    onPresence: (topic, { joined, left, count, incomplete }) =>
      emit("presence", {
        topic,
        joined: readUsers(joined),
        left: readUsers(left),
        count: isOffset(count) ? count : undefined,
        incomplete: incomplete === true,
      }),
  });
  const connection = new Connection({
    handshake,
    backoff,
    random,
    offDelay: reconnect?.offDelay,
    report,
    announce: createAnnounce(options.onError, listener),
    renewable: tokens.renewable,
    withCredentials: options.credentials === "include",
    auth() {
      const since = held.tell();
      return { v: 1, client, ...(data === undefined ? {} : { data }), ...(since.length === 0 ? {} : { since }) };
    },
    onState,
    onHello(greeting, { length }) {
      held.up(greeting, length / 2);
      if (identity.isNewHello(handshake.namespace, greeting)) forget();
      hello = greeting;
      if (typeof hello.time === "number") ahead = hello.time - Date.now();
    },
    onUp(link) {
      whole();
      calls.up(link);
      sender.up(link);
    },
    onDown() {
      calls.down();
      sender.down();
      held.down();
    },
    onWake: () => sender.wake(),
    onEvent: receive,
  });

  /** Why there is no connection and none will come by itself. */
  function ended({ state, error } = connection): ClientError | undefined {
    if (state !== "off" && state !== "failed" && state !== "closed") return undefined;
    return error ?? new ClientError({ code: "unavailable", message: `The client is ${state}` });
  }

  function onState(state: State): void {
    if (state === "off" || state === "failed" || state === "closed") hello = {};
    const error = ended();
    if (error !== undefined) {
      // Whoever signs in next gets tickets and server-made subscriptions of their own.
      for (const wire of registry.all()) wire.ticket = undefined;
      // A session that is back from `off` goes on where it was.
      if (state !== "off") held.clear();
      calls.fail(error);
    }
    emit("state", state);
  }

  /** Somebody else is signed in: nothing of the one before reaches them. */
  function forget(): void {
    hello = {};
    registry.forgetHeard();
    held.clear();
    calls.fail(new ClientError({ code: "unavailable", message: "Somebody else is signed in than the one who asked: nothing was sent" }));
  }

  function demand(): void {
    if (connection.state === "idle") connection.open();
  }

  if (!reachable) connection.state = "off";
  else if (options.lazy === false) connection.open();

  const made: Client = {
    id: client,
    get state() {
      return connection.state;
    },
    get error() {
      return connection.error;
    },
    get user() {
      return hello.user as string | null | undefined;
    },
    get session() {
      return hello.session as string | null | undefined;
    },
    ...createSubscribe({
      registry,
      report,
      reachable,
      lost: () => connection.error,
      schedule() {
        connection.nudge();
        sender.schedule();
      },
    }),
    ...createQuestions(async (event, payload, timeout) => {
      demand();
      const error = ended();
      if (error !== undefined) throw error;
      return calls.call(event, payload, timeout);
    }),
    on: (name, listener) => listeners.on(name, listener),
    onState: (listener) => listeners.on("state", listener),
    connect() {
      if (reachable) connection.open();
    },
    close,
    [Symbol.dispose]: close,
  };
  // The types of topics are the application's word: nothing here knows them.
  return made as unknown as Client<T>;

  function close(): void {
    if (reachable) connection.stop("closed");
  }
}

import { createClient, type Client, type ClientOptions, type Message, type Resync, type State } from "@bellwire/client";
import { FakeRelay } from "./fake-relay.js";

/** No waits worth mentioning, so that a test that reconnects is quick. */
export const QUICK = { delays: [5], random: () => 1 };

export interface Stage {
  readonly relay: FakeRelay;
  /** A client of the relay, closed after the test. */
  client(options?: Partial<ClientOptions>): Client;
  /** The whole handshake of one more client, with a token request: what another has due at once comes before its end. */
  oneMore(): Promise<void>;
}

/** A relay per test and as many clients as it wants. Everything is closed after each test, whatever came of it. */
export function useStage(): Stage {
  const clients: Client[] = [];
  let relay: FakeRelay | undefined;
  beforeEach(async () => {
    relay = await FakeRelay.start();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await relay?.stop();
  });
  const client = (options: Partial<ClientOptions> = {}): Client => {
    const own = options.url === undefined ? { endpoint: (relay as FakeRelay).endpoint } : {};
    const made = createClient({ ...own, reconnect: QUICK, linger: 10, ...options });
    clients.push(made);
    return made;
  };
  return {
    get relay() {
      return relay as FakeRelay;
    },
    client,
    oneMore: () => state(client({ lazy: false }), "connected"),
  };
}

/** Resolves when the client gets to this state, or is there. */
export function state(client: Client, wanted: State): Promise<void> {
  if (client.state === wanted) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = client.onState((now) => {
      if (now !== wanted) return;
      stop();
      resolve();
    });
  });
}

/** Resolves once the condition holds; for what has no event. Fails after 5 s, or `most` milliseconds, saying which condition. */
export async function until(condition: () => boolean, most = 5000): Promise<void> {
  const end = Date.now() + most;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`never came true: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** A round trip to the relay: all that was sent before has been worked off on both sides. */
export async function settled(client: Client): Promise<void> {
  await client.presence("Any");
}

/** What a callback got, and a promise for when it has got so many. */
export function heard(): { (event: Message | Resync): void; readonly all: (Message | Resync)[]; count(wanted: number): Promise<void> } {
  const all: (Message | Resync)[] = [];
  return Object.assign((event: Message | Resync) => void all.push(event), {
    all,
    count: (wanted: number) => until(() => all.length >= wanted),
  });
}

import { expect } from "chai";
import type { SubscribeResult, WireError } from "@bellwire/protocol";
import { createTestRelay, type TestRelay } from "@bellwire/server/testing";
import { requires, type ToolName } from "../house/requires.js";
import { RawClient } from "../support/socket.js";
import { Backend, type BackendOptions } from "./backend.js";
import { newSecret } from "./sign.js";

export interface Language {
  readonly tool: ToolName;
  /** Runs once before all; gives how to start the backend. */
  readonly prepare: (program: string) => BackendOptions["command"] | Promise<BackendOptions["command"]>;
}

/** What the tests of one language find ready. */
export interface World {
  relay: TestRelay;
  backend: Backend;
  command: BackendOptions["command"];
  program: string;
  env: Record<string, string>;
  /** A client with a token from the backend's endpoint; closed after the test. */
  connect(cookie: string): Promise<RawClient>;
  /** Another process, stopped after the test. */
  start(env: Record<string, string>): Promise<Backend>;
}

/** What the endpoint answers. */
export interface Tokens {
  readonly url: string;
  readonly site: string;
  readonly token: string;
  readonly subscribeToken?: string;
  /** Where one doesn't hold all. */
  readonly subscribeTokens?: readonly string[];
  readonly results?: readonly { readonly error?: WireError; readonly token?: number }[];
}

/** The site of ann, ben and mallory. */
export const SITE = "acme";
/** The site of gil, a number in his backend. */
export const OTHER_SITE = "12";

/** Starts a relay and the backend before all tests of the enclosing suite. */
export function world({ tool, prepare }: Language): World {
  const closers: (() => unknown)[] = [];
  const it = {
    async connect(cookie: string): Promise<RawClient> {
      const tokens = await askTokens(it.backend, cookie);
      const client = new RawClient({ url: tokens.url, appKey: "", site: tokens.site, auth: { v: 1, token: tokens.token } });
      closers.push(() => client.close());
      await client.hello;
      return client;
    },
    async start(env: Record<string, string>): Promise<Backend> {
      const other = await Backend.start({ command: it.command, env: { ...it.env, ...env } });
      closers.push(() => other.stop());
      return other;
    },
  } as World;

  before(async function () {
    this.timeout(180_000); // Go compiles
    it.program = requires(tool, this);
    it.relay = await createTestRelay();
    it.env = {
      APP_KEY: it.relay.appKey,
      REALTIME_URL: it.relay.httpUrl,
      REALTIME_API_KEY: it.relay.apiKey,
      HOOK_SECRET: newSecret(),
    };
    it.command = await prepare(it.program);
    it.backend = await Backend.start(it);
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  after(async () => {
    await it.backend?.stop();
    await it.relay?.close();
  });
  return it;
}

export async function askTokens(backend: Backend, cookie: string, subscriptions?: readonly object[]): Promise<Tokens> {
  const { status, body } = await backend.post("/realtime", subscriptions === undefined ? {} : { subscriptions }, cookie);
  expect(status, JSON.stringify(body)).to.equal(200);
  return body as unknown as Tokens;
}

/** Subscribes with one token of the backend's for all. */
export async function subscribe(client: RawClient, backend: Backend, cookie: string, ...pairs: { topic: string; filter?: object }[]) {
  const { subscribeToken: token } = await askTokens(backend, cookie, pairs);
  const items = pairs.map((pair, i) => ({ id: `${pair.topic}${i}`, ...pair, token, replay: false }));
  return (await client.emit<{ results: SubscribeResult[] }>("subscribe", items)).results;
}

export function dataOf(client: RawClient, topic: string): unknown[] {
  return client.messages(topic).map(([, , data]) => data);
}

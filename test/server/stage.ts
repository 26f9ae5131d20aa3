import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect } from "chai";
import type { SubscribeResult, Subscribed, WireError } from "@bellwire/protocol";
import { createTestRelay, type TestRelay, type TestRelayOptions } from "@bellwire/server/testing";
import { EventStream, type StreamOptions } from "../support/event-stream.js";
import { socketOf } from "../support/relay-sockets.js";
import { RawClient, type RawOptions } from "../support/socket.js";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body, where it is JSON. */
  readonly body: { readonly results?: PublishResult[]; readonly error?: WireError } & Record<string, unknown>;
}

export interface PublishResult {
  readonly topic: string;
  readonly epoch: string;
  readonly offset: number;
  readonly error?: WireError;
}

/**
 * Relays and clients of one test. All that a test opened is closed after it, whatever its outcome; and a relay without
 * clients must be left with no connection, subscription or namespace.
 */
export class Stage {
  readonly #clients: RawClient[] = [];
  readonly #relays: TestRelay[] = [];
  readonly #closers: (() => unknown)[] = [];

  /** To be called in a `describe`: a stage that is cleared after each of its tests. */
  static forEachTest(): Stage {
    const stage = new Stage();
    afterEach(() => stage.#clear());
    return stage;
  }

  /** @param file what the file named by REALTIME_CONFIG says */
  async relay(options: TestRelayOptions & { readonly file?: object } = {}): Promise<TestRelay> {
    const { file, ...rest } = options;
    const env = file === undefined ? {} : { REALTIME_CONFIG: await this.file("bellwire.yaml", JSON.stringify(file)) };
    const relay = await createTestRelay({ ...rest, env: { ...env, ...rest.env } });
    this.#relays.push(relay);
    return relay;
  }

  client(relay: TestRelay, options: Partial<RawOptions> = {}): RawClient {
    const client = new RawClient({ url: relay.url, appKey: relay.appKey, ...options });
    this.#clients.push(client);
    return client;
  }

  /** A client that has been admitted. */
  async connect(relay: TestRelay, options: Partial<RawOptions> = {}): Promise<RawClient> {
    const client = this.client(relay, options);
    await client.hello;
    return client;
  }

  /** An answer to a request for events. */
  async stream(relay: TestRelay, options: Partial<StreamOptions> = {}): Promise<EventStream> {
    const stream = await EventStream.open({ url: relay.httpUrl, appKey: relay.appKey, ...options });
    this.#closers.push(() => stream.close());
    return stream;
  }

  /** A file in a folder of its own. */
  async file(name: string, content: string): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "bellwire-test-"));
    this.closeLater(() => rm(folder, { recursive: true, force: true }));
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  }

  closeLater(close: () => unknown): void {
    this.#closers.push(close);
  }

  async #clear(): Promise<void> {
    try {
      for (const client of this.#clients.splice(0)) client.close();
      for (const close of this.#closers.splice(0).reverse()) await close();
      for (const relay of this.#relays) await leftEmpty(relay);
    } finally {
      await Promise.all(this.#relays.splice(0).map((relay) => relay.close()));
    }
  }
}

async function leftEmpty({ relay }: TestRelay): Promise<void> {
  await eventually(() => (relay.gateway?.connections.size ?? 0) === 0, "all connections are gone from the relay");
  expect(relay.subscriptions.count, "subscriptions left").to.equal(0);
  await eventually(() => (relay.gateway?.siteCount ?? 0) === 0, "all namespaces are gone from the relay");
}

/** Waits for something that nothing tells of, e.g. a relay's own bookkeeping. */
export async function eventually(condition: () => boolean, what: string, ms = 5000): Promise<void> {
  for (const end = Date.now() + ms; !condition(); await pause(2)) {
    if (Date.now() > end) throw new Error(`Not in ${ms} ms: ${what}`);
  }
}

/** The same of what has to be asked for, e.g. of Redis. */
export async function eventuallyAsked(condition: () => Promise<boolean>, what: string, ms = 10_000): Promise<void> {
  for (const end = Date.now() + ms; !(await condition()); await pause(20)) {
    if (Date.now() > end) throw new Error(`Not in ${ms} ms: ${what}`);
  }
}

/** The namespaces that socket.io keeps, by an internal of its own; a client must be connected. */
export function namespacesOf({ relay }: TestRelay): ReadonlyMap<string, object> {
  const [connection] = relay.gateway?.connections ?? [];
  return socketOf(connection).nsp.server._nsps;
}

export async function request(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000), ...init });
  const text = await response.text();
  const json = /json/.test(response.headers.get("content-type") ?? "");
  return { status: response.status, headers: response.headers, text, body: (json ? JSON.parse(text) : {}) as Answer["body"] };
}

/** Asks the server API to publish. @param body a value, or a text that is sent as it is */
export function post(relay: TestRelay, site: string, body: unknown, options: { key?: string | null; base?: string } = {}): Promise<Answer> {
  const { key = relay.apiKey, base = relay.httpUrl } = options;
  return request(`${base}/v1/sites/${site}/publish`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(key === null ? {} : { authorization: `Bearer ${key}` }) },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

/** Publishes one message, which must succeed. */
export async function publish(relay: TestRelay, topic: string, data: object, more: object = {}, site = "5"): Promise<PublishResult> {
  const { status, body, text } = await post(relay, site, { topic, data, ...more });
  expect(status, text).to.equal(200);
  const result = body.results?.[0];
  if (result === undefined || result.error !== undefined) throw new Error(`Not published: ${text}`);
  return result;
}

/** The result of a subscribe that succeeded. */
export function subscribed(result: SubscribeResult | undefined): Subscribed {
  if (result === undefined || "error" in result) throw new Error(`Not subscribed: ${JSON.stringify(result)}`);
  return result;
}

/** The code that a subscribe was refused with, or "accepted". */
export function codeOf(result: SubscribeResult | { error?: WireError } | undefined): string {
  return result !== undefined && "error" in result && result.error !== undefined ? result.error.code : "accepted";
}

import type { Dialect, Speaker } from "./dialect.js";
import { ONE_SITE, type ClientPlan, type DialectName, type Wish } from "./plan.js";
import { connectToken } from "./tokens.js";

export function createDialect(name: DialectName, appKey: string | undefined): Dialect {
  switch (name) {
    case "bellwire":
      return new BellwireDialect(appKey as string);
    case "socket-io":
      return new SocketIoDialect(appKey);
    case "ws":
      return wsDialect;
    case "centrifugo":
      return centrifugoDialect;
  }
}

const ENGINE_PATH = "/socket.io/?EIO=4&transport=websocket";
const PING = 50; // "2"
const MESSAGE = 52; // "4"
const EVENT = 50; // "2" after a message's "4"

/** Answers engine.io's pings and counts events; gives true where nothing is left to look at. */
function takeEngineFrame(client: Speaker, bytes: Buffer, start: number, end: number): boolean {
  if (bytes[start] === PING) {
    client.send("3");
    return true;
  }
  if (!client.ready || bytes[start] !== MESSAGE || bytes[start + 1] !== EVENT) return false;
  client.tally.take(bytes, start, end);
  return true;
}

/** What a Bellwire client keeps over a reconnect. */
interface Kept {
  ticket: string;
  readonly subscriptions: { ticket: string; since: { epoch: string; offset: number } }[];
}

class BellwireDialect implements Dialect {
  readonly #appKey: string;

  constructor(appKey: string) {
    this.#appKey = appKey;
  }

  path(): string {
    return ENGINE_PATH;
  }

  opened(client: Speaker): void {
    const kept = client.memory as Kept | undefined;
    const credential = kept === undefined ? { token: connectToken(this.#appKey, client.plan, client.number) } : { ticket: kept.ticket };
    client.send(`40${namespaceOf(client)},${JSON.stringify({ v: 1, ...credential })}`);
  }

  text(client: Speaker, bytes: Buffer, start: number, end: number): void {
    if (takeEngineFrame(client, bytes, start, end)) return;
    const text = bytes.toString("utf8", start, end);
    const body = text.slice(text.indexOf(",") + 1);
    if (text.startsWith("44")) client.fail(`was refused: ${body}`);
    else if (text.startsWith("42") && body.startsWith('["hello"')) this.#greeted(client, JSON.parse(body) as [string, { ticket: string }]);
    else if (text.startsWith("43")) this.#answered(client, body, bytes, start, end);
  }

  #greeted(client: Speaker, [, { ticket }]: [string, { ticket: string }]): void {
    const { wishes } = client.plan;
    const kept = client.memory as Kept | undefined;
    client.memory = { ticket, subscriptions: kept?.subscriptions ?? [] } satisfies Kept;
    if (wishes.length === 0) return client.done();
    const items = wishes.map(({ topic, id }, i) => ({
      id: String(i),
      topic,
      ...(id === undefined ? {} : { filter: { id } }),
      ...(kept === undefined ? { replay: false } : kept.subscriptions[i]),
    }));
    client.send(`42${namespaceOf(client)},0${JSON.stringify(["subscribe", items])}`);
  }

  #answered(client: Speaker, body: string, bytes: Buffer, start: number, end: number): void {
    type Result = { ticket: string; epoch: string; offset: number; error?: object; resync: boolean };
    const [{ results }] = JSON.parse(body.slice(body.indexOf("["))) as [{ results: Result[] }];
    const bad = results?.find((result) => result.error !== undefined || result.resync);
    if (results === undefined || bad !== undefined) return client.fail(`was not subscribed: ${JSON.stringify(bad ?? body)}`);
    const kept = client.memory as Kept;
    results.forEach(({ ticket, epoch, offset }, i) => {
      kept.subscriptions[i] = { ticket, since: { epoch, offset } };
    });
    // An answer may bring what was missed.
    client.tally.take(bytes, start, end);
    client.done();
  }
}

function namespaceOf({ plan }: Speaker): string {
  return `/site/${plan.site ?? ONE_SITE}`;
}

/** Rooms are named as an application would: a topic, or a topic and an id. */
export function roomOf({ topic, id }: Wish): string {
  return id === undefined ? topic : `${topic}:id=${id}`;
}

class SocketIoDialect implements Dialect {
  readonly #appKey: string | undefined;

  constructor(appKey: string | undefined) {
    this.#appKey = appKey;
  }

  path(): string {
    return ENGINE_PATH;
  }

  opened(client: Speaker): void {
    const auth = this.#appKey === undefined ? "" : JSON.stringify({ token: connectToken(this.#appKey, client.plan, client.number) });
    client.send(`40${prefixOf(client.plan)}${auth}`);
  }

  text(client: Speaker, bytes: Buffer, start: number, end: number): void {
    if (takeEngineFrame(client, bytes, start, end)) return;
    const text = bytes.toString("utf8", start, end);
    if (text.startsWith("44")) client.fail(`was refused: ${text}`);
    else if (text.startsWith("43")) client.done();
    else if (text.startsWith("40")) {
      const { plan } = client;
      if (plan.wishes.length === 0) client.done();
      else client.send(`42${prefixOf(plan)}0${JSON.stringify(["join", plan.wishes.map(roomOf)])}`);
    }
  }
}

function prefixOf({ site }: ClientPlan): string {
  return site === undefined ? "" : `/site/${site},`;
}

const wsDialect: Dialect = {
  path: () => "/",
  opened: (client) => {
    const { site, wishes } = client.plan;
    if (wishes.length === 0) return client.done();
    client.send(JSON.stringify({ subscribe: wishes.map((wish) => channelOf(site, wish)) }));
  },
  text: (client, bytes, start, end) => {
    if (client.ready) client.tally.take(bytes, start, end);
    else client.done();
  },
};

/** The name of a channel for peers that have no sites. */
export function channelOf(site: string | undefined, wish: Wish): string {
  return site === undefined ? roomOf(wish) : `${site}:${roomOf(wish)}`;
}

const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** Centrifugo's JSON protocol: commands and replies by id, one or several a frame, `{}` for ping and pong. */
const centrifugoDialect: Dialect = {
  path: () => "/connection/websocket",
  opened: (client) => client.send('{"id":1,"connect":{}}'),
  text: (client, bytes, start, end) => {
    if (end - start === 2 && bytes[start] === OPEN_BRACE && bytes[start + 1] === CLOSE_BRACE) return client.send("{}");
    if (client.ready) return client.tally.take(bytes, start, end);
    const { site, wishes } = client.plan;
    for (const line of bytes.toString("utf8", start, end).split("\n")) {
      const { id, error } = JSON.parse(line) as { id?: number; error?: object };
      if (error !== undefined) return client.fail(`was refused: ${line}`);
      if (id === 1) wishes.forEach((wish, i) => client.send(JSON.stringify({ id: i + 2, subscribe: { channel: channelOf(site, wish) } })));
      if (id === wishes.length + 1) client.done();
    }
  },
};

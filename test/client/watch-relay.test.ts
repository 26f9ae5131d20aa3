import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { expect } from "chai";
import { createClient, type Client } from "@bellwire/client";
import { createPresenceWatch, createWatch, type Store } from "@bellwire/client/watch";
import { createEmitter, createTokenEndpoint, defineTopic, toNodeHandler } from "@bellwire/emitter";
import type { TestRelay } from "@bellwire/server/testing";
import { until } from "./setup.js";
import { socketsOf } from "../support/relay-sockets.js";
import { Stage } from "../server/stage.js";

describe("watches on a real relay", function () {
  this.timeout(30_000);
  const stage = Stage.forEachTest();
  let relay: TestRelay;
  let backend: Server;

  beforeEach(async () => {
    relay = await stage.relay({ file: { topics: { "room.*": { presence: true } } } });
    const tokens = toNodeHandler(
      createTokenEndpoint({
        key: relay.appKey,
        url: `ws://127.0.0.1:${relay.port}`,
        topics: [defineTopic("room.{id}", { canSubscribe: (_user, filter) => filter.secret !== true })],
        authenticate: (request: Request) => ({ site: "5", user: request.headers.get("x-user") ?? "nobody" }),
      }),
    );
    backend = createServer((request, response) => void tokens(request, response)).listen(0, "127.0.0.1");
    await once(backend, "listening");
    stage.closeLater(() => {
      backend.closeAllConnections();
      backend.close();
    });
  });

  const clientOf = (user: string): Client => {
    const { port } = backend.address() as { port: number };
    const client = createClient({
      endpoint: `http://127.0.0.1:${port}/realtime`,
      headers: { "x-user": user },
      linger: 10,
      onError: () => {},
    });
    stage.closeLater(() => client.close());
    return client;
  };
  const listen = <Value>(store: Store<Value>): (() => void) => store.subscribe(() => {});

  it("keep the list of who is there: who comes, who goes, and after a lost connection", async () => {
    const anns = createPresenceWatch(clientOf("ann"), "room.1");
    const names = (): string => anns.current.users.map(({ user }) => user).sort().join(); // prettier-ignore
    const states = new Set<string>();
    anns.subscribe(() => states.add(`${names()} ${anns.current.status}`));
    await until(() => names() === "ann");
    const bens = createPresenceWatch(clientOf("ben"), "room.1");
    const leave = listen(bens);
    await until(() => names() === "ann,ben" && anns.current.count === 2);
    await until(() => bens.current.users.length === 2);
    for (const { conn } of socketsOf(relay.relay)) conn.close();
    listen(createPresenceWatch(clientOf("cleo"), "room.1"));
    await until(() => names() === "ann,ben,cleo" && anns.current.status === "subscribed", 10_000);
    expect([...states]).to.include("ann,ben pending");
    leave();
    await until(() => names() === "ann,cleo", 10_000);
  });

  it("hear exactly what came since a position, and say why they may not", async () => {
    const emitter = createEmitter({ url: relay.httpUrl, apiKey: relay.apiKey });
    const publish = async (id: number): Promise<{ epoch: string; offset: number }> =>
      (await emitter.site("5").publish("room.1", { id })) as never;
    await publish(1);
    const since = await publish(2);
    await publish(3);
    await publish(4);
    const heard: unknown[] = [];
    const client = clientOf("ann");
    const watch = createWatch(client, "room.1", null, (event) => heard.push(event.resync ?? event.data.id), { since });
    listen(watch);
    await until(() => heard.length === 2 && watch.current.status === "subscribed");
    await publish(5);
    await until(() => heard.length === 3);
    expect(heard).to.deep.equal([3, 4, 5]);
    const refused = createWatch(client, "room.1", { secret: true });
    listen(refused);
    void refused.current.status;
    await until(() => refused.current.status === "failed");
    expect(refused.current.error?.code).to.equal("forbidden");
    const lost = createWatch(client, "room.2", null, undefined, { since: { epoch: "1", offset: 9 } });
    listen(lost);
    await until(() => lost.current.resync !== undefined);
    await emitter.close();
  });
});

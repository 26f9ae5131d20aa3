import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { io } from "socket.io-client";
import type { Hello, SubscribeResult, WireError } from "@bellwire/protocol";
import { createTestRelay, type TestRelay } from "@bellwire/server/testing";
import { codeOf } from "../server/stage.js";
import { RawClient } from "../support/socket.js";
import { stablePort } from "../support/stable-port.js";
import { Backend } from "./backend.js";
import { dataOf, SITE, type World } from "./world.js";

type Refused = { error?: WireError };

/** A relay that asks the backend, and clients of it. */
export interface Sockets {
  /** A client with a connection token, of the session `s1`; closed after the test. */
  connect(user: string): Promise<RawClient>;
}

/** A relay that asks the backend, by a configuration file as an operator writes it: what sockets get to see of its answers. */
export function socketsWithHooks(here: World, more: (sockets: Sockets) => void = () => undefined): void {
  describe("over a relay's sockets, without any token", () => {
    let relay: TestRelay;
    let backend: Backend;
    const closers: (() => unknown)[] = [];

    before(async () => {
      const port = await stablePort();
      const url = `http://127.0.0.1:${port}/hooks`;
      const hooks = {
        secret: here.env.HOOK_SECRET,
        headers: ["cookie:session"],
        connect: { url },
        refresh: { url },
        subscribe: [{ url }],
        publish: { url },
        rpc: [{ http: `http://127.0.0.1:${port}/`, allow: ["post:news/*"] }, { url }],
      };
      const folder = await mkdtemp(join(tmpdir(), "bellwire-test-"));
      try {
        const file = join(folder, "bellwire.yaml");
        await writeFile(file, JSON.stringify({ hooks, topics: { Chat_Message_Topic: { publish: true }, News_Topic: { publish: true } } }));
        relay = await createTestRelay({ env: { REALTIME_CONFIG: file } });
      } finally {
        await rm(folder, { recursive: true });
      }
      const { appKey, httpUrl, apiKey } = relay;
      const env = { ...here.env, APP_KEY: appKey, REALTIME_URL: httpUrl, REALTIME_API_KEY: apiKey };
      backend = await Backend.start({ command: here.command, env, port });
    });
    afterEach(() => {
      for (const close of closers.splice(0)) close();
    });
    after(async () => {
      await backend?.stop();
      await relay?.close();
    });

    /** A browser's socket: it brings its cookie, and nothing else. */
    function open(cookie: string): { hello: Promise<Hello>; socket: ReturnType<typeof io> } {
      const extraHeaders = { cookie: `other=1; ${cookie}` };
      const options = { transports: ["websocket"], forceNew: true, reconnection: false, auth: { v: 1 }, extraHeaders };
      const socket = io(`${relay.url}/site/${SITE}`, options);
      closers.push(() => socket.disconnect());
      const hello = new Promise<Hello>((resolve, reject) => {
        socket.once("hello", resolve);
        socket.once("connect_error", reject);
      });
      return { hello, socket };
    }

    async function connect(user: string): Promise<RawClient> {
      const client = new RawClient({ url: relay.url, appKey: relay.appKey, site: SITE, claims: { sub: user } });
      closers.push(() => client.close());
      await client.hello;
      return client;
    }

    it("connects by cookie, with a subscription that the backend made", async () => {
      const { hello, socket } = open(await backend.signIn("ann"));
      const heard = new Promise((resolve) =>
        socket.once("messages", (topic: string, _epoch: string, [message]: [unknown[]]) => resolve([topic, message[2]])),
      );
      const subscribed = new Promise<{ topic: string }>((resolve) => {
        // Not the personal topics, which everybody has.
        socket.on("subscribed", (one: { topic: string }) => one.topic.startsWith("$") || resolve(one));
      });
      const { user, until } = await hello;
      expect(user).to.equal("ann");
      expect(until).to.be.above(Date.now() / 1000);
      expect((await subscribed).topic).to.equal("News_Topic");
      const { body } = await backend.post("/news/store", { title: "new" }, await backend.signIn("ben"));
      expect(await heard).to.deep.equal(["News_Topic", { id: body.id }]);
    });

    it("is refused in the backend's words", async () => {
      const refusal = async (cookie: string): Promise<WireError> =>
        open(cookie).hello.then(
          () => {
            throw new Error("It was admitted");
          },
          (error: { data: WireError }) => error.data,
        );
      expect(await refusal("")).to.deep.include({ code: "rejected", reason: { code: "signed-out", message: "Sign in first" } });
      const blocked = { code: "blocked", message: "This account is blocked" };
      expect(await refusal(await backend.signIn("mallory"))).to.deep.include({ code: "forbidden", reason: blocked });
    });

    it("subscribes what the backend allows, and hears what clients publish after it has looked", async () => {
      const [ann, ben] = [await connect("ann"), await connect("ben")];
      const subscribe = async (client: RawClient, topic: string): Promise<string> => {
        const { results } = await client.emit<{ results: SubscribeResult[] }>("subscribe", [{ id: topic, topic, filter: {} }]);
        return codeOf(results[0]);
      };
      expect(await subscribe(ann, "Chat_Message_Topic")).to.equal("accepted");
      expect(await subscribe(ann, "Admin_Alert_Topic")).to.equal("accepted");
      expect(await subscribe(ben, "Admin_Alert_Topic")).to.equal("forbidden");
      expect(await ben.emit("publish", { topic: "Chat_Message_Topic", data: { text: " Zoë 😀 ", by: "ann" } })).to.have.property("offset");
      const invalid = await ben.emit<Refused>("publish", { topic: "Chat_Message_Topic", data: { text: "" } });
      expect(invalid.error).to.deep.include({ code: "rejected" }).and.to.have.nested.property("reason.code", "invalid");
      const other = await ben.emit<Refused>("publish", { topic: "News_Topic", data: { id: 1 } });
      expect(other.error).to.deep.include({ code: "forbidden" }).and.to.have.nested.property("reason.code", "forbidden");
      await ann.until(() => ann.messages("Chat_Message_Topic").length === 1);
      expect(dataOf(ann, "Chat_Message_Topic")).to.deep.equal([{ text: "Zoë 😀", by: "ben" }]);
    });

    it("refreshes", async () => {
      const client = await connect("ann");
      const { until } = await client.emit<{ until: number }>("refresh", {});
      expect(until).to.be.above(Date.now() / 1000 + 60);
    });

    it("calls by name, and the application's own addresses, with a 422's body kept", async () => {
      const client = await connect("ben");
      const call = (method: string, data: unknown): Promise<Record<string, unknown>> => client.emit("rpc", { method, data });
      expect(await call("ping", null)).to.deep.equal({ data: "pong" });
      expect((await call("no-such", null)).error).to.have.property("code", "not-found");
      expect(await call("post:news/store", { title: "" })).to.deep.equal({
        status: 422,
        data: { message: "The news needs a title", errors: { title: ["Write a title"] } },
      });
      const made = await call("post:news/store", { title: "Zoë 😀" });
      expect(made.status).to.equal(201);
      expect(made.data).to.deep.include({ title: "Zoë 😀", author: "ben" });
    });

    more({ connect });
  });
}

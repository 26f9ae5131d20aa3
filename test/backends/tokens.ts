import { expect } from "chai";
import { createClient } from "@bellwire/client";
import type { SubscribeResult, WireError } from "@bellwire/protocol";
import { createTestRelay } from "@bellwire/server/testing";
import { codeOf } from "../server/stage.js";
import { RawClient } from "../support/socket.js";
import type { Backend } from "./backend.js";
import { askTokens, dataOf, SITE, subscribe, type World } from "./world.js";

/** Tokens of a backend of the examples, and what it has relays do. */
export function tokensAndRelays(here: World): void {
  describe("tokens", () => {
    it("connect, subscribe, and hear what the backend publishes", async () => {
      const { backend } = here;
      const cookie = await backend.signIn("ann");
      const client = await here.connect(cookie);
      expect(await client.hello).to.deep.include({ user: "ann" });
      const results = await subscribe(
        client,
        backend,
        cookie,
        { topic: "Contact_Updated_Topic", filter: { id: [5, 7] } },
        { topic: "Admin_Alert_Topic" },
      );
      expect(results.map(codeOf)).to.deep.equal(["accepted", "accepted"]);
      for (const id of [5, 6, 7]) {
        const { status, body } = await backend.post(`/contacts/${id}`, {}, await backend.signIn("ben"));
        expect([status, body]).to.deep.equal([200, { success: true, told: true }]);
      }
      await client.until(() => client.messages("Contact_Updated_Topic").length === 2);
      expect(dataOf(client, "Contact_Updated_Topic")).to.deep.equal([
        { id: 5, updated_by: "ben" },
        { id: 7, updated_by: "ben" },
      ]);
    });

    it("are what the browser's client asks for", async () => {
      const { backend } = here;
      const cookie = await backend.signIn("ann");
      const client = createClient({ endpoint: `${backend.url}/realtime`, headers: { cookie }, onError: () => undefined });
      try {
        const heard = new Promise((resolve) =>
          client.subscribe("Contact_Updated_Topic", { id: 8 }, resolve).ready.then(() => backend.post("/contacts/8", {}, cookie)),
        );
        expect(await heard).to.have.deep.property("data", { id: 8, updated_by: "ann" });
        const refused = await client.subscribe("No_Such_Topic", () => undefined).ready.catch((error: unknown) => error);
        expect(refused).to.have.property("code", "forbidden");
      } finally {
        client.close();
      }
    });

    it("are given by topic, filter and user; a refusal says which", async () => {
      const pairs = [
        { topic: "Contact_Updated_Topic", filter: { id: 5 } },
        { topic: "Admin_Alert_Topic", filter: {} },
        { topic: "No_Such_Topic" },
        { topic: "contact_updated_topic" },
        { topic: "$user" },
        { topic: "News_Topic", filter: { nested: { a: 1 } } },
        { topic: "News_Topic", filter: { id: [] } },
        { topic: "News_Topic", filter: { id: 2 ** 60 } },
        {},
        "nonsense",
        { topic: "News_Topic" },
      ];
      const { backend } = here;
      const cookie = await backend.signIn("ben");
      const { results, subscribeToken } = await askTokens(backend, cookie, pairs as object[]);
      expect(results?.map(({ error }) => error?.code)).to.deep.equal([
        undefined,
        "forbidden",
        "forbidden",
        "forbidden",
        "forbidden",
        "bad-request",
        "bad-request",
        "bad-request",
        "forbidden",
        "forbidden",
        undefined,
      ]);
      for (const { error } of results ?? []) if (error !== undefined) expect(error.retry).to.equal("never");
      const client = await here.connect(cookie);
      const answers = await client.emit<{ results: SubscribeResult[] }>("subscribe", [
        { id: "1", topic: "Contact_Updated_Topic", filter: { id: 5 }, token: subscribeToken },
        { id: "2", topic: "Contact_Updated_Topic", filter: { id: 6 }, token: subscribeToken },
        { id: "3", topic: "Admin_Alert_Topic", token: subscribeToken },
        { id: "4", topic: "News_Topic", token: subscribeToken },
      ]);
      expect(answers.results.map(codeOf)).to.deep.equal(["accepted", "forbidden", "forbidden", "accepted"]);
    });

    it("are for those who have signed in, and asked for by the page itself", async () => {
      const { backend } = here;
      const code = async (...args: Parameters<Backend["post"]>): Promise<unknown> => {
        const { status, body } = await backend.post(...args);
        return [status, (body.error as WireError).code];
      };
      const cookie = await backend.signIn("ann");
      expect(await code("/realtime", {})).to.deep.equal([401, "token-missing"]);
      expect(await code("/realtime", {}, `${cookie.slice(0, -1)}${cookie.endsWith("0") ? "1" : "0"}`)).to.deep.equal([
        401,
        "token-missing",
      ]);
      expect(await code("/realtime", {}, cookie.replace("ann", "ben"))).to.deep.equal([401, "token-missing"]);
      expect(await code("/realtime", "{", cookie)).to.deep.equal([400, "bad-request"]);
      expect(await code("/realtime", "7", cookie)).to.deep.equal([400, "bad-request"]);
      expect(await code("/realtime", { subscriptions: 7 }, cookie)).to.deep.equal([400, "bad-request"]);
      expect(await code("/contacts/5", {})).to.deep.equal([401, "token-missing"]);
      const get = await backend.request("/realtime", { headers: { cookie } });
      expect(get.body).to.deep.include({ enabled: true, site: SITE, url: here.relay.url });
      expect(get.headers.get("cache-control")).to.equal("no-store");
    });

    it("are signed with a key as it is, where it is no base64", async () => {
      const key = "a key of plain text, longer than 32 bytes";
      const relay = await createTestRelay({ env: { APP_KEY: key } });
      try {
        const backend = await here.start({ APP_KEY: key, REALTIME_URL: relay.httpUrl, REALTIME_API_KEY: relay.apiKey });
        const { url, token } = await askTokens(backend, await backend.signIn("ann"));
        const client = new RawClient({ url, appKey: "", site: SITE, auth: { v: 1, token } });
        expect(await client.hello).to.deep.include({ user: "ann" });
        client.close();
      } finally {
        await relay.close();
      }
    });
  });

  describe("the relay's API", () => {
    it("subscribes and unsubscribes the visitor's own pages", async () => {
      const { backend } = here;
      const cookie = await backend.signIn("ann");
      const [client, other] = [await here.connect(cookie), await here.connect(await backend.signIn("ann"))];
      const told: unknown[] = [];
      client.socket.on("subscribed", ({ topic, filter }: { topic: string; filter: object }) => {
        if (!topic.startsWith("$")) told.push([topic, filter]); // personal topics come too, at their own time
      });
      client.socket.on("unsubscribed", ({ topic }: { topic: string }) => told.push(topic));
      expect((await backend.post("/contacts/5/follow", {}, cookie)).body).to.deep.equal({ success: true });
      await client.until(() => told.length === 1);
      await backend.post("/contacts/6", {}, cookie);
      await backend.post("/contacts/5", {}, cookie);
      await client.until(() => client.messages("Contact_Updated_Topic").length === 1);
      expect((await backend.post("/contacts/5/unfollow", {}, cookie)).body).to.deep.equal({ success: true });
      await client.until(() => told.length === 2);
      expect(told).to.deep.equal([["Contact_Updated_Topic", { id: 5 }], "Contact_Updated_Topic"]);
      expect(dataOf(client, "Contact_Updated_Topic")).to.deep.equal([{ id: 5, updated_by: "ann" }]);
      expect(other.received).to.deep.equal([]);
    });

    it("ends a session's pages when it signs out", async () => {
      const { backend } = here;
      const cookie = await backend.signIn("ben");
      const [client, other] = [await here.connect(cookie), await here.connect(await backend.signIn("ben"))];
      let bye: WireError | undefined;
      client.socket.on("bye", (error: WireError) => (bye = error));
      expect((await backend.post("/sign-out", {}, cookie)).body).to.deep.equal({ success: true });
      await client.until(() => bye !== undefined);
      expect(bye?.code).to.equal("revoked");
      expect(other.socket.connected).to.equal(true);
    });
  });
}

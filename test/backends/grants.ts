import { expect } from "chai";
import { createClient } from "@bellwire/client";
import type { Filter, SubscribeResult } from "@bellwire/protocol";
import { codeOf } from "../server/stage.js";
import { askTokens, type Tokens, type World } from "./world.js";

const topic = "Contact_Updated_Topic";

/** What a backend of the examples puts into tokens: rules by pattern, and many subscriptions at once. */
export function grantsInTokens(here: World): void {
  /** What a relay says to pairs, each with its token. */
  async function subscribe(cookie: string, ...items: { topic: string; filter: object; token: string | undefined }[]): Promise<string[]> {
    const client = await here.connect(cookie);
    const numbered = items.map((item, i) => ({ id: String(i), ...item }));
    const { results } = await client.emit<{ results: SubscribeResult[] }>("subscribe", numbered);
    return results.map(codeOf);
  }

  /** The token that covers one of those that were asked for. */
  function tokenOf({ results = [], subscribeToken, subscribeTokens }: Tokens, place: number): string | undefined {
    const { token, error } = results[place] ?? {};
    if (token === undefined) return error === undefined ? subscribeToken : undefined;
    expect(error).to.deep.include({ code: "limit", retry: "later" });
    return subscribeTokens?.[token];
  }

  describe("grants", () => {
    it("are for topics by their patterns, too", async () => {
      const { backend } = here;
      const cookie = await backend.signIn("ben");
      const names = ["user.ben", "user.ann", "user.", "user.ben.x", "xuser.ben", "userxben", "user.ben\n"];
      const tokens = await askTokens(
        backend,
        cookie,
        names.map((name) => ({ topic: name })),
      );
      expect(tokens.results?.map(({ error }) => error?.code)).to.deep.equal([undefined, ...Array<string>(6).fill("forbidden")]);
      const token = tokens.subscribeToken;
      const asked = ["user.ben", "user.ann"].map((name) => ({ topic: name, filter: {}, token }));
      expect(await subscribe(cookie, ...asked)).to.deep.equal(["accepted", "forbidden"]);
    });

    it("take an empty list for an empty object, as PHP writes it", async () => {
      const cookie = await here.backend.signIn("ben");
      expect((await here.backend.post("/realtime", "[]", cookie)).body).to.have.property("enabled", true);
      const tokens = await askTokens(here.backend, cookie, [{ topic, filter: [] }]);
      expect(tokens.results).to.deep.equal([{ topic, filter: {} }]);
      expect(await subscribe(cookie, { topic, filter: {}, token: tokens.subscribeToken })).to.deep.equal(["accepted"]);
    });

    it("of 500 subscriptions to one topic fit into one token, which allows exactly those", async () => {
      const cookie = await here.backend.signIn("ben");
      const pairs = Array.from({ length: 500 }, (_, id) => ({ topic, filter: { id } }));
      const tokens = await askTokens(here.backend, cookie, pairs);
      expect(tokens.results).to.have.length(500);
      for (const result of tokens.results ?? []) expect(result).not.to.have.any.keys("error", "token");
      expect(tokens).not.to.have.property("subscribeTokens");
      const token = tokens.subscribeToken;
      const asked = [{ id: 0 }, { id: 255 }, { id: 256 }, { id: 499 }, { id: 500 }, { id: "1" }, {}];
      expect(await subscribe(cookie, ...asked.map((filter) => ({ topic, filter, token })))).to.deep.equal([
        ...Array<string>(4).fill("accepted"),
        ...Array<string>(3).fill("forbidden"),
      ]);
      expect(await here.backend.post("/realtime", { subscriptions: [...pairs, {}] }, cookie)).to.have.nested.property(
        "body.error.code",
        "too-large",
      );
    });

    it("are merged into exactly what was asked for", async () => {
      const cookie = await here.backend.signIn("ben");
      const filters = [
        { id: 1, type: "a" },
        { id: 1, type: "b" },
        { id: 2, type: "a" },
        { n: [3, 4], m: 1 },
        { n: 5, m: 1 },
        { flag: 1 },
        { flag: true },
        { text: "1" },
      ];
      const { subscribeToken: token } = await askTokens(
        here.backend,
        cookie,
        filters.map((filter) => ({ topic, filter })),
      );
      const others = [
        { id: 2, type: "b" },
        { id: 1 },
        { n: 6, m: 1 },
        { n: [3, 6], m: 1 },
        { flag: "1" },
        { flag: false },
        { text: 1 },
        {},
      ];
      const codes = await subscribe(cookie, ...[...filters, { n: [3, 5], m: 1 }, ...others].map((filter) => ({ topic, filter, token })));
      expect(codes).to.deep.equal([...Array<string>(9).fill("accepted"), ...Array<string>(8).fill("forbidden")]);
    });

    it("go into several tokens where one is not enough", async () => {
      const cookie = await here.backend.signIn("ben");
      const pairs = Array.from({ length: 500 }, (_, id) => ({ topic, filter: { id, note: `${id} ${"ü".repeat(100)}` } }));
      const tokens = await askTokens(here.backend, cookie, [{ topic: "No_Such_Topic" }, ...pairs]).catch(() => undefined);
      expect(tokens, "501 are too many").to.equal(undefined);
      const asked = [{ topic: "No_Such_Topic", filter: {} }, ...pairs.slice(1)];
      const given = await askTokens(here.backend, cookie, asked);
      const all = given.subscribeTokens ?? [];
      expect(all.length).to.be.within(2, 25);
      expect(all[0]).to.equal(given.subscribeToken);
      for (const token of all) expect(token.length).to.be.at.most(16_384);
      expect(given.results?.[0]?.error).to.deep.include({ code: "forbidden", retry: "never" });
      expect(given.results?.[1]).not.to.have.any.keys("error", "token");
      const items = pairs.slice(1).map((pair, i) => ({ ...pair, token: tokenOf(given, i + 1) }));
      for (let i = 0; i < items.length; i += 50)
        expect(await subscribe(cookie, ...items.slice(i, i + 50))).to.deep.equal(items.slice(i, i + 50).map(() => "accepted"));
      const last = items.at(-1) as (typeof items)[number];
      expect(await subscribe(cookie, { ...last, token: all[0] })).to.deep.equal(["forbidden"]);
    });

    it("hurt no other where one filter is too long for any token, or of a kind that a relay refuses", async () => {
      const cookie = await here.backend.signIn("ben");
      const keys = ["a", "b", "c", "d", "e", "f", "g"];
      const filters = [
        Object.fromEntries(keys.map((key) => [key, "€".repeat(1000)])),
        Object.fromEntries([...keys, "h"].map((key) => [key, "x".repeat(1024)])),
        { name: "😀".repeat(513) },
        { ["k".repeat(129)]: 1 },
        JSON.parse('{"__proto__": 1}') as object,
        { many: Array.from({ length: 257 }, (_, i) => i) },
        { name: "😀".repeat(512) },
      ];
      const given = await askTokens(
        here.backend,
        cookie,
        filters.map((filter) => ({ topic, filter })),
      );
      const refused = Array<string>(5).fill("bad-request");
      expect(given.results?.map(({ error }) => error?.code)).to.deep.equal(["too-large", ...refused, undefined]);
      for (const { error } of given.results ?? []) if (error !== undefined) expect(error.retry).to.equal("never");
      expect(await subscribe(cookie, { topic, filter: filters[6] as object, token: given.subscribeToken })).to.deep.equal(["accepted"]);
      // Half a surrogate pair. Some parsers take it, some refuse it; a relay would refuse a token that holds it.
      const half = `{"subscriptions":[{"topic":"${topic}","filter":{"a":"\\ud800"}},{"topic":"${topic}"}]}`;
      const { status, body } = await here.backend.post("/realtime", half, cookie);
      if (status !== 200) expect(body).to.have.nested.property("error.code", "bad-request");
      else expect(await subscribe(cookie, { topic, filter: {}, token: body.subscribeToken as string })).to.deep.equal(["accepted"]);
    });

    const kinds: Record<string, (id: number) => Filter> = {
      "that fit into one token": (id) => ({ id }),
      "that need several tokens": (id) => ({ id, note: `${id} ${"x".repeat(200)}` }),
    };
    for (const [name, filterOf] of Object.entries(kinds)) {
      it(`serve a browser's client with 500 subscriptions ${name}`, async () => {
        const cookie = await here.backend.signIn("ann");
        const client = createClient({ endpoint: `${here.backend.url}/realtime`, headers: { cookie }, onError: () => undefined });
        try {
          await Promise.all(Array.from({ length: 500 }, (_, id) => client.subscribe(topic, filterOf(id), () => undefined).ready));
          const heard = new Promise((resolve) => client.subscribe(topic, { id: 499 }, resolve));
          await here.backend.post("/contacts/499", {}, cookie);
          expect(await heard).to.have.deep.property("data", { id: 499, updated_by: "ann" });
        } finally {
          client.close();
        }
      });
    }
  });
}

import { expect } from "chai";
import type { Reply } from "./backend.js";
import { newSecret, signature, signed } from "./sign.js";
import { dataOf, OTHER_SITE, SITE, subscribe, type World } from "./world.js";

/** A backend of the examples as a relay asks it: the test is the relay, and signs by itself. */
export function hooksAndRoutes(here: World): void {
  const asker = { site: SITE, user: "ben", session: "s1", client: "c1", connection: "x1", headers: {} };
  const ask = async (event: string, more: object = {}): Promise<Record<string, unknown>> => {
    const { status, body } = await here.backend.ask({ v: 1, event, ...asker, ...more });
    expect(status, JSON.stringify(body)).to.equal(200);
    return body;
  };
  const reason = (reply: Record<string, unknown>): unknown => (reply.error as { code?: unknown } | undefined)?.code;

  describe("a hook's signature", () => {
    const body = JSON.stringify({ v: 1, event: "rpc", ...asker, method: "ping", data: { text: "Zoë 😀" } });
    const status = async (headers: Record<string, string>, text = body): Promise<number> =>
      (await here.backend.post("/hooks", text, "", headers)).status;
    const secret = (): string => here.env.HOOK_SECRET as string;

    it("is accepted, also as one of several, and with a clock that is a little off", async () => {
      expect(await status(signed(secret(), body))).to.equal(200);
      for (const off of [-240, 240]) expect(await status(signed(secret(), body, { at: Date.now() / 1000 + off }))).to.equal(200);
      const good = signed(secret(), body);
      const several = `v1,${Buffer.alloc(32).toString("base64")} v2,other ${good["webhook-signature"]}`;
      expect(await status({ ...good, "webhook-signature": several })).to.equal(200);
    });

    it("is refused where it is wrong, old, early or missing", async () => {
      const good = signed(secret(), body);
      const refused: Record<string, Record<string, string>> = {
        "none at all": {},
        "another secret": signed(newSecret(), body),
        "another body": signed(secret(), `${body} `),
        "another id": { ...good, "webhook-id": "msg_1" },
        "another time": { ...good, "webhook-timestamp": String(Number(good["webhook-timestamp"]) + 1) },
        "too old": signed(secret(), body, { at: Date.now() / 1000 - 400 }),
        "too early": signed(secret(), body, { at: Date.now() / 1000 + 400 }),
        "no time": { ...good, "webhook-timestamp": "now", "webhook-signature": signature(secret(), good["webhook-id"], "now", body) },
        "no signature": { ...good, "webhook-signature": "" },
        "another version": { ...good, "webhook-signature": good["webhook-signature"].replace("v1", "v1a") },
        "a part of it": { ...good, "webhook-signature": good["webhook-signature"].slice(0, 20) },
      };
      for (const [name, headers] of Object.entries(refused)) expect(await status(headers), name).to.equal(401);
      expect(await status(good), "the right one").to.equal(200);
      expect(await status(signed(secret(), "["), "["), "signed nonsense").to.equal(400);
    });

    it("is never right where no secret is set", async () => {
      const backend = await here.start({ HOOK_SECRET: "" });
      for (const empty of ["", "whsec_"])
        expect((await backend.ask({ v: 1, event: "rpc", ...asker, method: "ping" }, empty)).status).to.equal(401);
    });
  });

  describe("a hook", () => {
    it("connects by cookie, or by the claims of a token", async () => {
      const cookie = await here.backend.signIn("ann");
      const nobody = { user: "", session: "" };
      const byCookie = await ask("connect", { ...nobody, headers: { cookie: `a=b; ${cookie}; c=d` }, data: null });
      expect(byCookie).to.deep.include({ user: "ann", info: { name: "Ann" }, subscriptions: [{ topic: "News_Topic" }] });
      expect(byCookie.session)
        .to.be.a("string")
        .and.match(/^[0-9a-f]{16,}$/);
      expect(byCookie.until)
        .to.be.a("number")
        .and.be.above(Date.now() / 1000 + 60);
      const byClaims = await ask("connect", { ...nobody, claims: { aud: "bellwire:connect", site: SITE, sub: "ben", sid: "s9" } });
      expect(byClaims).to.deep.include({ user: "ben", session: "s9" });
      expect(reason(await ask("connect", { ...nobody }))).to.equal("signed-out");
      expect(reason(await ask("connect", { ...nobody, headers: { cookie: cookie.replace("ann", "ben") } }))).to.equal("signed-out");
      const blocked = await ask("connect", { ...nobody, headers: { cookie: await here.backend.signIn("mallory") } });
      expect(blocked).to.deep.equal({ disconnect: { code: "blocked", reason: "This account is blocked" } });
    });

    it("refreshes those who are still welcome", async () => {
      const reply = await ask("refresh");
      expect(Object.keys(reply)).to.deep.equal(["until"]);
      expect(reply.until)
        .to.be.a("number")
        .and.be.above(Date.now() / 1000 + 60);
      for (const user of ["mallory", "nobody", ""]) expect(reason(await ask("refresh", { user })), user).to.equal("signed-out");
    });

    it("allows subscriptions by the same rules as tokens", async () => {
      expect(await ask("subscribe", { topic: "Contact_Updated_Topic", filter: { id: 5 }, params: {} })).to.deep.equal({});
      expect(await ask("subscribe", { user: "ann", topic: "Admin_Alert_Topic", filter: {} })).to.deep.equal({});
      for (const more of [
        { topic: "Admin_Alert_Topic", filter: {} },
        { topic: "No_Such_Topic", filter: {} },
        { topic: "News_Topic", filter: {}, user: "" },
        { topic: "News_Topic", filter: {}, user: "mallory" },
        { topic: "News_Topic", filter: { a: { b: 1 } } },
      ]) {
        expect(reason(await ask("subscribe", more)), JSON.stringify(more)).to.equal("forbidden");
      }
    });

    it("lets a client publish what is well made, and says who it was", async () => {
      const topic = "Chat_Message_Topic";
      expect(await ask("publish", { topic, data: { text: "  Zoë 😀 ", by: "ann" } })).to.deep.equal({
        data: { text: "Zoë 😀", by: "ben" },
      });
      for (const data of [{}, { text: " " }, { text: 7 }, { text: "x".repeat(1001) }])
        expect(reason(await ask("publish", { topic, data }))).to.equal("invalid");
      expect(reason(await ask("publish", { topic: "News_Topic", data: { text: "x" } }))).to.equal("forbidden");
      expect(reason(await ask("publish", { topic, data: { text: "x" }, user: "" }))).to.equal("forbidden");
    });

    it("answers calls, and says which it doesn't know", async () => {
      expect(await ask("rpc", { method: "ping", data: null })).to.deep.equal({ data: "pong" });
      const { status, body } = await here.backend.ask({ v: 1, event: "rpc", ...asker, method: "no-such", data: {} });
      expect([status, reason(body)]).to.deep.equal([404, "not-found"]);
      expect(reason(await ask("no-such-event"))).to.equal("unknown-event");
    });

    it("takes notices", async () => {
      const events = [{ event: "connected", site: SITE, user: "ann" }];
      expect(await here.backend.ask({ v: 1, events })).to.deep.include({ status: 200, body: {} });
    });
  });

  describe("an ordinary route", () => {
    it("answers 422 with what is wrong, 201 and a message to all", async () => {
      const { backend } = here;
      const cookie = await backend.signIn("ann");
      const client = await here.connect(cookie);
      await subscribe(client, backend, cookie, { topic: "News_Topic" });
      const wrong = await backend.post("/news/store", { title: " " }, cookie);
      expect([wrong.status, wrong.body.errors]).to.deep.equal([422, { title: ["Write a title"] }]);
      const { status, body } = await backend.post("/news/store", { title: " Zoë 😀 " }, cookie);
      expect(status).to.equal(201);
      expect(body).to.deep.include({ title: "Zoë 😀", author: "ann" });
      await client.until(() => client.messages("News_Topic").length === 1);
      expect(dataOf(client, "News_Topic")).to.deep.equal([{ id: body.id }]);
    });

    describe("called by a relay", () => {
      const body = JSON.stringify({ title: "Zoë" });
      const call = (who: { site?: string; user?: string; session?: string } = {}, path = "/news/store", text = body): Promise<Reply> => {
        const { site = SITE, user = "ann", session = "s/1 ä" } = who;
        const identity = {
          "bellwire-site": site,
          "bellwire-user": encodeURIComponent(user),
          "bellwire-session": encodeURIComponent(session),
        };
        const content = [`POST ${path}`, ...Object.values(identity), text].join("\n");
        return here.backend.post(path, text, "", { ...identity, ...signed(here.env.HOOK_SECRET as string, content) });
      };

      it("knows the caller by signed headers", async () => {
        const { status, body: news } = await call();
        expect([status, news.author]).to.deep.equal([201, "ann"]);
        expect(await call({}, "/news/store", "{}"))
          .to.deep.include({ status: 422 })
          .and.to.have.nested.property("body.errors.title");
        expect(await call({}, "/news/store?a=b%20c")).to.have.property("status", 201);
      });

      it("refuses a signature for another path, body or caller, and one of a hook", async () => {
        const secret = here.env.HOOK_SECRET as string;
        const identity = { "bellwire-site": SITE, "bellwire-user": "ann", "bellwire-session": "s1" };
        const headers = (text: string): Record<string, string> => ({ ...identity, ...signed(secret, text) });
        const right = `POST /news/store\n${SITE}\nann\ns1\n${body}`;
        const post = async (more: Record<string, string>, text = body): Promise<number> =>
          (await here.backend.post("/news/store", text, await here.backend.signIn("ann"), more)).status;
        expect(await post(headers(right))).to.equal(201);
        expect(await post(headers(right.replace("news", "old")))).to.equal(401);
        expect(await post({ ...headers(right), "bellwire-user": "ben" })).to.equal(401);
        expect(await post(headers(right), body.replace("Z", "z"))).to.equal(401);
        expect(await post(headers(body))).to.equal(401);
        expect((await here.backend.post("/hooks", body, "", headers(right))).status).to.equal(401);
        expect((await call({ site: OTHER_SITE })).status, "ann of another tenant").to.equal(401);
        for (const user of ["", "nobody"]) expect((await call({ user })).status, user).to.equal(401);
      });
    });

    it("is not there, or too much, in JSON", async () => {
      const cookie = await here.backend.signIn("ann");
      expect(await here.backend.post("/nowhere", {}, cookie)).to.have.property("status", 404);
      expect(await here.backend.post("/news/store", { title: "x".repeat(300_000) }, cookie)).to.have.property("status", 413);
    });
  });
}

import { expect } from "chai";
import { readConfig } from "@bellwire/server";
import { API_KEY } from "./controlled.js";
import { codeOf, post, publish, request, Stage, subscribed } from "./stage.js";

const KEY = "a-key-of-acme-alone";

describe("what the file says of one site", () => {
  const stage = Stage.forEachTest();
  const read = (file: Parameters<typeof readConfig>[1]): ReturnType<typeof readConfig>["settings"] => readConfig({}, file).settings;

  it("goes before what it says of all of them, value by value", () => {
    const settings = read({
      limits: { subscriptionsPerConnection: 50, dataBytes: 100 },
      topics: { "chat.*": { publish: true }, "*": { log: { messages: 7 } } },
      sites: { acme: { limits: { dataBytes: 5000 }, topics: { "chat.open": { presence: true }, "chat.b*": { log: { messages: 3 } } } } },
    });
    const { limits, topic } = settings.of("acme");
    expect(limits).to.deep.include({ subscriptionsPerConnection: 50, subscriptionsPerFrame: 1000, dataBytes: 5000 });
    expect(topic("chat.open")).to.deep.equal({ log: { messages: 7, age: 86_400_000 }, publish: false, presence: true });
    expect(topic("chat.b1").log.messages).to.equal(3);
    expect(topic("chat.else").publish).to.equal(true);
    expect(settings.of("other").limits.dataBytes).to.equal(100);
    expect(settings.of("other").topic("chat.open")).to.deep.include({ publish: true, presence: false });
    expect([settings.of("acme").offers.presence, settings.of("other").offers.presence]).to.deep.equal([true, false]);
  });

  it("is kept of no site that it does not list, whatever its name", () => {
    const settings = read({ sites: { acme: {} } });
    const names = ["other", "constructor", "__proto__", "toString", ...Array.from({ length: 100 }, (_, i) => `s${i}`)];
    expect(new Set(names.map((name) => settings.of(name))).size).to.equal(1);
    expect([...settings.all()]).to.have.length(2);
  });

  it("binds API keys to it", async () => {
    const relay = await stage.relay({ env: { REALTIME_API_KEY: API_KEY }, file: { sites: { acme: { apiKeys: [KEY] } } } });
    const status = async (site: string, key: string): Promise<number> =>
      (await post(relay, site, { topic: "t", data: {} }, { key })).status;
    expect([await status("acme", KEY), await status("other", KEY), await status("other", API_KEY)]).to.deep.equal([200, 403, 200]);
    const headers = { authorization: `Bearer ${KEY}` };
    expect((await request(`${relay.httpUrl}/v1/sites/other/topics/t/history`, { headers })).status).to.equal(403);
  });

  it("says which pages may connect to it, and those of others may not", async () => {
    const relay = await stage.relay({
      env: { REALTIME_ALLOWED_ORIGINS: "https://common.example" },
      file: { sites: { acme: { origins: ["https://acme.example"] }, open: { origins: ["*"] }, closed: { origins: [] } } },
    });
    const enter = async (site: string, origin: string | undefined, transport: "websocket" | "polling" = "websocket"): Promise<string> => {
      const client = stage.client(relay, { site, transports: [transport], extraHeaders: origin === undefined ? {} : { origin } });
      try {
        await client.hello;
        return "ok";
      } catch (error) {
        return (error as { data?: { code: string } }).data?.code ?? "no handshake";
      } finally {
        client.close();
      }
    };
    expect(await enter("acme", "https://acme.example")).to.equal("ok");
    expect(await enter("acme", "https://acme.example", "polling")).to.equal("ok");
    expect(await enter("acme", "https://common.example")).to.equal("forbidden");
    expect(await enter("acme", "https://common.example", "polling")).to.equal("forbidden");
    expect(await enter("other", "https://common.example")).to.equal("ok");
    expect(await enter("other", "https://acme.example")).to.equal("forbidden");
    expect(await enter("open", "https://anywhere.example")).to.equal("ok");
    expect(await enter("closed", "https://common.example")).to.equal("forbidden");
    expect(await enter("closed", undefined), "no page").to.equal("ok");
  });

  it("bounds its clients and backends alone", async () => {
    const relay = await stage.relay({ file: { sites: { acme: { limits: { subscriptionsPerConnection: 1, dataBytes: 20 } } } } });
    const codes = async (site: string): Promise<string[]> => {
      const client = await stage.connect(relay, { site, claims: { grants: [{ topic: "*" }] } });
      const results = await client.subscribe({ id: "1", topic: "a" }, { id: "2", topic: "b" });
      return results.map(codeOf);
    };
    expect(await codes("acme")).to.deep.equal(["accepted", "limit"]);
    expect(await codes("other")).to.deep.equal(["accepted", "accepted"]);
    const large = { topic: "a", data: { text: "x".repeat(30) } };
    expect([(await post(relay, "acme", large)).status, (await post(relay, "other", large)).status]).to.deep.equal([413, 200]);
  });

  it("says how much its topics keep, who may publish there, and what hello names", async () => {
    const relay = await stage.relay({ file: { sites: { acme: { topics: { "few.*": { log: { messages: 2 }, publish: true } } } } } });
    const grants = [{ topic: "*", publish: true }];
    const acme = await stage.connect(relay, { site: "acme", claims: { grants } });
    const other = await stage.connect(relay, { site: "other", claims: { grants } });
    expect((await acme.hello).features).to.include("publish");
    expect((await other.hello).features).not.to.include("publish");
    expect(await acme.socket.emitWithAck("publish", { topic: "few.a", data: {} })).to.have.property("offset", 1);
    expect(await other.socket.emitWithAck("publish", { topic: "few.a", data: {} })).to.have.nested.property("error.code", "forbidden");
    for (const [site, client] of [["acme", acme] as const, ["other", other] as const]) {
      let epoch = "";
      for (let id = 0; id < 4; id++) ({ epoch } = await publish(relay, "few.b", { id }, {}, site));
      const [result] = await client.subscribe({ id: "1", topic: "few.b", since: { epoch, offset: 1 } });
      expect(subscribed(result).resync, site).to.equal(site === "acme");
    }
  });
});

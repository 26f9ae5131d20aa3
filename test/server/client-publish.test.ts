import { expect } from "chai";
import { createLogger, createRelay, type HookFunctions, type Interceptors } from "@bellwire/server";
import { RawClient } from "../support/socket.js";
import { HookBackend } from "./hooks-backend.js";
import { codeOf, post, Stage } from "./stage.js";

const APP_KEY = "k".repeat(40);

describe("a client that publishes", () => {
  const stage = Stage.forEachTest();

  async function outcomes(client: RawClient, ...requests: object[]): Promise<string[]> {
    const codes: string[] = [];
    for (const request of requests) codes.push(codeOf(await client.emit("publish", request)));
    return codes;
  }

  it("needs a grant that says so, whose filter matches what it says", async () => {
    const relay = await stage.relay({ file: { topics: { "chat.*": { publish: true }, board: { publish: "anyone" } } } });
    const none = await stage.connect(relay, { claims: { grants: [{ topic: "*" }] } });
    expect((await none.hello).features).to.include("publish");
    const data = { room: 5 };
    const everywhere = ["chat.5", "board", "news"].map((topic) => ({ topic, data }));
    expect(await outcomes(none, ...everywhere)).to.deep.equal(["forbidden", "accepted", "forbidden"]);
    const all = await stage.connect(relay, { claims: { grants: [{ topic: "*", publish: true }] } });
    expect(await outcomes(all, ...everywhere), "the topic has to take it too").to.deep.equal(["accepted", "accepted", "forbidden"]);
    const some = await stage.connect(relay, { claims: { grants: [{ topic: "chat.*", filter: { room: [5, 6] }, publish: true }] } });
    const said = [{ room: 6 }, { room: 7 }, {}].map((each) => ({ topic: "chat.5", data: each }));
    expect(await outcomes(some, ...said)).to.deep.equal(["accepted", "forbidden", "forbidden"]);
  });

  it("keeps its grant over a return by ticket, and loses it when that is revoked", async () => {
    const relay = await stage.relay({ file: { topics: { chat: { publish: true } } } });
    const first = await stage.connect(relay, { claims: { grants: [{ topic: "chat", publish: true }] } });
    const { ticket } = await first.hello;
    first.close();
    const again = await stage.connect(relay, { auth: { v: 1, ticket } });
    expect(await outcomes(again, { topic: "chat", data: {} })).to.deep.equal(["accepted"]);
    const headers = { authorization: `Bearer ${relay.apiKey}`, "content-type": "application/json" };
    const body = JSON.stringify({ user: "ann", topic: "chat" });
    await fetch(`${relay.httpUrl}/v1/sites/5/revoke`, { method: "POST", headers, body });
    let last = "";
    for (let i = 0; i < 100 && last !== "forbidden"; i++) [last = ""] = await outcomes(again, { topic: "chat", data: {} });
    expect(last).to.equal("forbidden");
  });

  it("is refused a token whose grant says neither yes nor no", async () => {
    const relay = await stage.relay();
    const client = stage.client(relay, { claims: { grants: [{ topic: "chat", publish: "yes" }] } });
    const error = await client.hello.then(
      () => undefined,
      (reason: { data: { code: string } }) => reason.data.code,
    );
    expect(error).to.equal("token-invalid");
    expect((await post(relay, "5", { topic: "chat", data: {} })).status).to.equal(200);
  });

  it("needs none where the publish hook says yes, and nobody else does by looking on", async () => {
    const start = async (hooks: HookFunctions, interceptors: Interceptors = {}): Promise<RawClient> => {
      const relay = createRelay({
        env: { APP_KEY, REALTIME_API_KEY: "a".repeat(20), REALTIME_WS_PORT: "0", REALTIME_WS_HOST: "127.0.0.1" },
        logger: createLogger({ write: () => undefined }),
        settings: { topics: { chat: { publish: true } } },
        hooks,
        interceptors,
      });
      await relay.start();
      const client = new RawClient({ url: `http://127.0.0.1:${relay.port}`, appKey: APP_KEY });
      stage.closeLater(async () => {
        client.close();
        await relay.close();
      });
      await client.hello;
      return client;
    };
    const request = { topic: "chat", data: {} };
    const asked = await start({ publish: ({ data }) => ({ data: { ...data, by: "hook" } }) });
    expect(await outcomes(asked, request)).to.deep.equal(["accepted"]);
    const refused = await start({ publish: () => ({ error: { code: "no", message: "no" } }) });
    expect(await outcomes(refused, request)).to.deep.equal(["rejected"]);
    const watched = await start({}, { "*": (_context, next) => next() });
    expect(await outcomes(watched, request)).to.deep.equal(["forbidden"]);
  });

  it("is asked about where a hook fits, whatever its grant says", async () => {
    const backend = await HookBackend.open(stage, () => ({ error: { code: "no", message: "not you" } }));
    const relay = await stage.relay({
      file: { topics: { "*": { publish: "anyone" } }, hooks: { publish: [{ topics: ["chat"], url: backend.url }] } },
    });
    const client = await stage.connect(relay, { claims: { grants: [{ topic: "*", publish: true }] } });
    expect(await outcomes(client, { topic: "chat", data: {} }, { topic: "other", data: {} })).to.deep.equal(["rejected", "accepted"]);
  });
});

import { expect } from "chai";
import { createClient, type Client, type ClientError } from "@bellwire/client";
import { mintConnectToken } from "@bellwire/emitter";
import { createTestRelay, type TestRelay } from "@bellwire/server/testing";
import { useStage, settled } from "./setup.js";

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "none",
    (error: ClientError) => error.code,
  );

describe("what is larger than the relay takes", () => {
  let relay: TestRelay;
  let client: Client;
  before(async () => {
    relay = await createTestRelay();
    client = createClient({
      url: `ws://127.0.0.1:${relay.port}`,
      site: "s1",
      token: await mintConnectToken(relay.appKey, { site: "s1", user: "u1", grants: [{ topic: "T" }] }),
    });
  });
  after(async () => {
    client?.close();
    await relay?.close();
  });

  it("is refused in the client to the byte, in any script, and the connection stays", async () => {
    const ends: string[] = [];
    client.onState((state) => ends.push(state));
    // There is no rpc: the answer says that the frame got through.
    expect(await codeOf(client.rpc("m", ""))).to.equal("unsupported");
    const most = 1024 * 1024 - Buffer.byteLength('42/site/s1,1["rpc",{"method":"m","data":""}]');
    expect(await codeOf(client.rpc("m", "x".repeat(most)))).to.equal("unsupported");
    expect(await codeOf(client.rpc("m", "x".repeat(most + 1)))).to.equal("too-large");
    const bells = "\u{1F514}".repeat(Math.floor(most / 4));
    expect(await codeOf(client.rpc("m", bells))).to.equal("unsupported");
    expect(await codeOf(client.rpc("m", `${bells}\u{1F514}`))).to.equal("too-large");
    // A lone surrogate is written as six characters.
    expect(await codeOf(client.rpc("m", `${"\ud800".repeat(Math.floor(most / 6))}`))).to.equal("unsupported");
    expect(await codeOf(client.rpc("m", { file: new Uint8Array(2 ** 21) }))).to.equal("too-large");
    expect(ends).to.deep.equal(["connecting", "connected"]);
  });

  it("is refused to a publish by its data alone, with a sentence", async () => {
    const error = await client.publish("T", { text: "x".repeat(4096) }).catch((thrown: ClientError) => thrown);
    expect(error).to.include({ code: "too-large", retry: "never" });
    expect((error as ClientError).message).to.match(/^Data of 4107 bytes is more than this relay's 4096: publish what changed/);
    expect(await codeOf(client.publish("T", { text: "x".repeat(4085) }))).to.equal("forbidden");
  });

  it("is never what many subscriptions make together, in any script", async () => {
    const ends: string[] = [];
    const stop = client.onState((state) => ends.push(state));
    await Promise.all(Array.from({ length: 500 }, (_, id) => client.subscribe("T", { id, name: "\u6f22".repeat(1000) }, () => {}).ready));
    stop();
    expect(ends).to.deep.equal([]);
  });
});

describe("binary data", () => {
  const stage = useStage();

  it("goes as the JSON that was measured, and never beside it", async () => {
    const client = stage.client();
    expect(await client.rpc("m", { file: new Uint8Array([1, 2]), buffer: new ArrayBuffer(8) })).to.deep.include({
      data: { method: "m", data: { file: { 0: 1, 1: 2 }, buffer: {} } },
    });
    await settled(client);
  });
});

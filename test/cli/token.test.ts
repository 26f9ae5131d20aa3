import { expect } from "chai";
import { RawClient } from "../support/socket.js";
import { codeOf, Stage } from "../server/stage.js";
import { results, run, settingsOf } from "./command.js";

const KEY = `base64:${Buffer.alloc(32, 7).toString("base64")}`;

describe("the command bellwire token", function () {
  this.timeout(60_000);
  const stage = Stage.forEachTest();

  function payloadOf(token: string): Record<string, unknown> {
    return JSON.parse(Buffer.from(token.split(".")[1] as string, "base64url").toString()) as Record<string, unknown>;
  }

  it("prints tokens that a relay takes", async () => {
    const relay = await stage.relay();
    const sign = async (...args: string[]): Promise<string> =>
      (await results(stage, ["token", ...args, "--site", "5"], settingsOf(relay))).trim();
    const token = await sign("connect", "--user", "42", "--session", "s1", "--topic", "granted");
    const client = new RawClient({ url: relay.url, appKey: relay.appKey, auth: { v: 1, token } });
    stage.closeLater(() => client.close());
    expect(await client.hello).to.deep.include({ user: "42", session: "s1" });
    const subscribe = await sign("subscribe", "--user", "42", "--topic", "news", "--topic", "Contact_*", "--filter", '{"id":[5,6]}');
    const { results: answers } = await client.emit<{ results: { error?: never }[] }>("subscribe", [
      { id: "1", topic: "granted" },
      { id: "2", topic: "news", filter: { id: 5 }, token: subscribe },
      { id: "3", topic: "Contact_Updated_Topic", filter: { id: 6, type: "person" }, token: subscribe },
      { id: "4", topic: "news", token: subscribe },
    ]);
    expect(answers.map(codeOf)).to.deep.equal(["accepted", "accepted", "accepted", "forbidden"]);
  });

  it("puts into them what the options say", async () => {
    const sign = async (...args: string[]): Promise<Record<string, unknown>> =>
      payloadOf(await results(stage, ["token", "connect", "--site", "5", ...args], { APP_KEY: KEY }));
    const now = Date.now() / 1000;
    const { iat, exp, ...rest } = await sign("--info", '{"name":"Ann"}', "--ttl", "5m", "--until", "2030-01-31T12:00Z");
    expect(rest).to.deep.equal({ aud: "bellwire:connect", site: "5", info: { name: "Ann" }, until: 1_896_091_200 });
    expect(iat).to.be.closeTo(now, 10);
    expect(exp).to.be.closeTo(now + 300, 10);
    expect((await sign("--until", "2h")).until).to.be.closeTo(now + 7200, 10);
    expect(await sign("--until", "1900000000")).to.deep.include({ until: 1_900_000_000 });
  });

  it("says so where a token is of no use", async () => {
    const { status, stdout, stderr } = await run(stage, ["token", "connect", "--site", "5", "--until", "1700000000"], { APP_KEY: KEY });
    expect(status).to.equal(0);
    expect(payloadOf(stdout).until).to.equal(1_700_000_000);
    expect(stderr).to.include("has passed already");
  });
});

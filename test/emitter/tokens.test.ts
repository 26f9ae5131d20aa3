import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { compactVerify, decodeProtectedHeader, jwtVerify } from "jose";
import { parseConnectClaims, parseSubscribeClaims } from "@bellwire/protocol";
import { mintConnectToken, mintSubscribeToken, parseKey } from "@bellwire/emitter";
import { refusal } from "./scripted-transport.js";

const TEXT = `base64:${Buffer.alloc(32, 7).toString("base64")}`;

describe("a key", () => {
  it("in base64 signs with its bytes, and verifies taken literally too", () => {
    const { sign, verify } = parseKey(TEXT);
    expect(Buffer.from(sign)).to.deep.equal(Buffer.alloc(32, 7));
    expect(verify.map((bytes) => Buffer.from(bytes))).to.deep.equal([Buffer.alloc(32, 7), Buffer.from(TEXT)]);
  });

  it("in plain text is what it is", () => {
    const text = "é".repeat(16);
    const { sign, verify } = parseKey(text);
    expect(Buffer.from(sign)).to.deep.equal(Buffer.from(text));
    expect(verify).to.have.length(1);
  });

  const wrong = ["", "short", "x".repeat(31), "base64:", "base64:!!!", `base64:${Buffer.alloc(31).toString("base64")}`];
  for (const text of wrong) {
    it(`is refused without being repeated: ${text.slice(0, 12)}`, () => {
      expect(() => parseKey(text))
        .to.throw(TypeError, /openssl rand/)
        .with.property("message")
        .that.does.not.contain(text === "" || text === "base64:" ? "\0" : text);
    });
  }

  it("verifies the tokens of the protocol's vectors", async () => {
    const url = new URL("../../protocol/vectors/tokens.json", import.meta.url);
    const { appKey, cases } = JSON.parse(await readFile(url, "utf8")) as { appKey: string; cases: { name: string; token: string }[] };
    const [decoded, literal] = parseKey(appKey).verify;
    const named = (end: string): string => cases.find(({ name }) => name.endsWith(end))?.token as string;
    await compactVerify(named("the key decoded"), decoded as Uint8Array);
    await compactVerify(named("the key taken literally"), literal as Uint8Array);
  });
});

describe("a minted token", () => {
  const now = (): number => Date.now() / 1000;
  const read = async (token: string): Promise<unknown> => (await jwtVerify(token, parseKey(TEXT).sign, { algorithms: ["HS256"] })).payload;

  it("for a connection is what a relay reads", async () => {
    const until = Math.floor(now()) + 3600;
    const grants = [{ topic: "Contact_*" }];
    const subscriptions = [{ topic: "news", filter: { lang: "de" } }];
    const token = await mintConnectToken(TEXT, {
      site: "5",
      user: "42",
      session: "s",
      until,
      info: { name: "Ann" },
      grants,
      subscriptions,
    });
    const permit = parseConnectClaims(await read(token), "5", now());
    expect(permit).to.deep.include({ site: "5", user: "42", session: "s", until, info: { name: "Ann" } });
    expect(permit.grants.map(({ topic }) => topic)).to.deep.equal(["Contact_*"]);
    expect(permit.subscriptions[0]?.filter.canonical).to.equal('{"lang":"de"}');
    expect(decodeProtectedHeader(token)).to.deep.equal({ alg: "HS256", typ: "JWT" });
  });

  it("for subscriptions is what a relay reads", async () => {
    const token = await mintSubscribeToken(
      parseKey(TEXT),
      { site: "5", user: "42", grants: [{ topic: "a", filter: { id: 5 } }] },
      { kid: "k2" },
    );
    const permit = parseSubscribeClaims(await read(token), { site: "5", user: "42", session: "" }, now());
    expect(permit.grants.map(({ topic, filter }) => [topic, filter.canonical])).to.deep.equal([["a", '{"id":5}']]);
    expect(decodeProtectedHeader(token)).to.include({ kid: "k2" });
  });

  it("lives for 60 s unless told otherwise", async () => {
    const lifeOf = async (ttl?: number): Promise<number> => {
      const { iat, exp } = (await read(await mintConnectToken(TEXT, { site: "5", ttl }))) as { iat: number; exp: number };
      return Math.floor(exp - iat);
    };
    expect(await lifeOf()).to.equal(60);
    expect(await lifeOf(5)).to.equal(5);
  });

  it("of a visitor names no user", async () => {
    expect(await read(await mintConnectToken(TEXT, { site: "5", user: "" }))).not.to.have.any.keys("sub", "sid", "until", "info");
  });

  it("is refused where a relay would refuse it", async () => {
    for (const claims of [
      { site: "a b" },
      { site: 5.5 },
      { site: "5", user: true },
      { site: "5", user: "é".repeat(65) },
      { site: "5", ttl: 0 },
      { site: "5", until: "tomorrow" },
      { site: "5", grants: [{ topic: "a b" }] },
      { site: "5", subscriptions: [{ topic: "a", filter: { x: [] } }] },
      { site: "5", info: { n: 1n } },
    ]) {
      expect((await refusal(mintConnectToken(TEXT, claims as never))).code, String(claims.site)).to.equal("bad-request");
    }
    expect((await refusal(mintConnectToken(TEXT, { site: "5", info: "x".repeat(20_000) }))).code).to.equal("too-large");
  });
});

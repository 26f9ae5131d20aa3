import { createSign, createHmac, generateKeyPairSync, randomBytes } from "node:crypto";
import { expect } from "chai";
import type { SubscribeResult } from "@bellwire/protocol";
import type { TestRelay } from "@bellwire/server/testing";
import { type RawClient, refusal } from "../support/socket.js";
import { connectToken, jwt, now, subscribeToken } from "../support/tokens.js";
import { codeOf, Stage } from "./stage.js";

const key = (): string => `base64:${randomBytes(32).toString("base64")}`;
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
/** What the relay should do with an error, by its code. */
const retryOf = (code: string): string => (code.startsWith("token-") ? "refresh" : "never");

/** Signs as a JWT library would that was told to use another algorithm. */
function signedBy(alg: string, payload: object, appKey: string): string {
  const text = `${part({ alg, typ: "JWT" })}.${part(payload)}`;
  if (alg === "RS256") {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    return `${text}.${createSign("RSA-SHA256").update(text).sign(privateKey, "base64url")}`;
  }
  const bytes = Buffer.from(appKey.slice(7), "base64");
  return `${text}.${createHmac(alg === "HS512" ? "sha512" : "sha384", bytes)
    .update(text)
    .digest("base64url")}`;
}

function tampered(token: string, change: (payload: Record<string, unknown>) => void): string {
  const [header, body, mac] = token.split(".") as [string, string, string];
  const payload = JSON.parse(Buffer.from(body, "base64url").toString()) as Record<string, unknown>;
  change(payload);
  return `${header}.${part(payload)}.${mac}`;
}

describe("tokens", () => {
  const stage = Stage.forEachTest();

  async function connectCode(relay: TestRelay, token: unknown, site = "5"): Promise<string> {
    const client = stage.client(relay, { site, auth: { v: 1, token } });
    try {
      await client.hello;
      return "accepted";
    } catch {
      const { code, retry } = await refusal(client);
      expect(retry, code).to.equal(retryOf(code));
      return code;
    } finally {
      client.close();
    }
  }

  /** Every kind of broken token, whatever it is for. @param make a good token, but for the claims given */
  function broken(appKey: string, make: (claims?: object) => string): Record<string, [code: string, token: unknown]> {
    const good = make();
    const [header, body, mac] = good.split(".") as [string, string, string];
    const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as object;
    const unsigned = `${part({ alg: "none", typ: "JWT" })}.${body}`;
    return {
      "no token": ["token-missing", undefined],
      null: ["token-missing", null],
      "an empty text": ["token-missing", ""],
      "a number": ["token-invalid", 5],
      "an object": ["token-invalid", { token: good }],
      "a list": ["token-invalid", [good]],
      "no JWT": ["token-invalid", "bad"],
      "two parts": ["token-invalid", `${header}.${body}`],
      "four parts": ["token-invalid", `${good}.${mac}`],
      "another key's signature": ["token-invalid", jwt(key(), claims)],
      "alg none without a signature": ["token-invalid", `${unsigned}.`],
      "alg none with the signature": ["token-invalid", `${unsigned}.${mac}`],
      "alg NONE": ["token-invalid", `${part({ alg: "NONE" })}.${body}.`],
      "no alg": ["token-invalid", jwt(appKey, claims, { typ: "JWT" })],
      RS256: ["token-invalid", signedBy("RS256", claims, appKey)],
      HS384: ["token-invalid", signedBy("HS384", claims, appKey)],
      HS512: ["token-invalid", signedBy("HS512", claims, appKey)],
      "an RS256 header over an HS256 signature": ["token-invalid", jwt(appKey, claims, { alg: "RS256", typ: "JWT" })],
      "a critical header that nobody knows": ["token-invalid", jwt(appKey, claims, { alg: "HS256", crit: ["x"], x: 1 })],
      "a changed user": ["token-invalid", tampered(good, (payload) => (payload.sub = "bob"))],
      "a later end": ["token-invalid", tampered(good, (payload) => (payload.exp = now() + 3600))],
      "a cut signature": ["token-invalid", good.slice(0, -2)],
      "no signature": ["token-invalid", `${header}.${body}.`],
      "a payload that is no object": ["token-invalid", jwt(appKey, "ann")],
      "a payload that is a list": ["token-invalid", jwt(appKey, [claims])],
      oversized: ["too-large", make({ padding: "x".repeat(16_384) })],
      "of the largest size, but bad": ["token-invalid", "x".repeat(16_384)],
      expired: ["token-expired", make({ exp: now() - 1 })],
      "without exp": ["token-invalid", make({ exp: undefined })],
      "without iat": ["token-invalid", make({ iat: undefined })],
      "with iat as text": ["token-invalid", make({ iat: String(now()) })],
      "issued in the future": ["token-invalid", make({ iat: now() + 120, exp: now() + 180 })],
      "whose until has passed": ["token-expired", make({ until: now() - 1 })],
      "whose until is text": ["token-invalid", make({ until: "tomorrow" })],
      "of another site": ["wrong-site", make({ site: "6" })],
      "with the site as a number": ["token-invalid", make({ site: 5 })],
      "without a site": ["token-invalid", make({ site: undefined })],
      "with another audience": ["token-invalid", make({ aud: "https://example.com" })],
      "without an audience": ["token-invalid", make({ aud: undefined })],
      "with the user as a number": ["token-invalid", make({ sub: 42 })],
      "with a user of 129 bytes": ["token-invalid", make({ sub: `${"é".repeat(64)}x` })],
      "with grants that are no list": ["token-invalid", make({ grants: "all" })],
      "with a grant's filter that is none": ["token-invalid", make({ grants: [{ topic: "news", filter: { id: { gt: 5 } } }] })],
    };
  }

  it("of a connection that are broken are refused with the contract's code", async () => {
    const relay = await stage.relay();
    const { appKey } = relay;
    const cases = broken(appKey, (claims) => connectToken(appKey, claims));
    cases["for subscribing"] = ["token-invalid", subscribeToken(appKey, { grants: [{ topic: "*" }] })];
    for (const [what, [code, token]] of Object.entries(cases)) expect(await connectCode(relay, token), what).to.equal(code);
  });

  it("of a subscription that are broken are refused with the contract's code, each item for itself", async () => {
    const relay = await stage.relay();
    const { appKey } = relay;
    const client = await stage.connect(relay);
    const cases = broken(appKey, (claims) => subscribeToken(appKey, { grants: [{ topic: "news" }], ...claims }));
    cases["for connecting"] = ["token-invalid", connectToken(appKey, { grants: [{ topic: "news" }] })];
    cases["of another user"] = ["forbidden", subscribeToken(appKey, { sub: "bob", grants: [{ topic: "news" }] })];
    cases["of nobody"] = ["forbidden", subscribeToken(appKey, { sub: "", grants: [{ topic: "news" }] })];
    cases["that grants nothing"] = ["forbidden", subscribeToken(appKey, { grants: [] })];
    cases["with neither grants nor topic"] = ["token-invalid", subscribeToken(appKey)];
    cases["that is good"] = ["accepted", subscribeToken(appKey, { grants: [{ topic: "news" }] })];
    const items = Object.values(cases).map(([, token], i) => ({ id: `i${i}`, topic: "news", token }));
    const { results } = await client.emit<{ results: SubscribeResult[] }>("subscribe", items);
    for (const [i, [what, [code]]] of Object.entries(cases).entries()) {
      const result = results[i];
      expect(result?.id).to.equal(`i${i}`);
      expect(codeOf(result), what).to.equal(code);
      if (result !== undefined && "error" in result) expect(result.error.retry, what).to.equal(retryOf(code));
    }
  });

  it("hold with fractions of a second, several audiences, an id, and a header in any order", async () => {
    const relay = await stage.relay();
    const good: Record<string, string> = {
      "a fractional iat and exp": connectToken(relay.appKey, { iat: Date.now() / 1000, exp: Date.now() / 1000 + 60.5 }),
      "a list of audiences": connectToken(relay.appKey, { aud: ["other", "bellwire:connect"] }),
      "an id": connectToken(relay.appKey, { jti: "1" }),
      "an iat a little ahead": connectToken(relay.appKey, { iat: now() + 30 }),
      "a user of 128 bytes": connectToken(relay.appKey, { sub: "é".repeat(64) }),
      "claims that nobody knows": connectToken(relay.appKey, { iss: "app", roles: ["a"] }),
      "until null": connectToken(relay.appKey, { until: null }),
      "a header without typ": jwt(
        relay.appKey,
        { aud: "bellwire:connect", site: "5", iat: now(), exp: now() + 60 },
        { kid: "x", alg: "HS256" },
      ),
    };
    for (const [what, token] of Object.entries(good)) expect(await connectCode(relay, token), what).to.equal("accepted");
  });

  describe("and keys", () => {
    it("may be signed with previous keys, while those are listed", async () => {
      const [current, previous, oldest] = [key(), key(), "a literal key of at least thirty-two bytes"];
      const relay = await stage.relay({ env: { APP_KEY: current, APP_PREVIOUS_KEYS: `${previous}, ${oldest}` } });
      for (const each of [current, previous, oldest]) expect(await connectCode(relay, connectToken(each))).to.equal("accepted");
      const client = await stage.connect(relay);
      const token = subscribeToken(previous, { grants: [{ topic: "news" }] });
      const { results } = await client.emit<{ results: SubscribeResult[] }>("subscribe", [{ id: "1", topic: "news", token }]);
      expect(codeOf(results[0])).to.equal("accepted");
      const rotated = await stage.relay({ env: { APP_KEY: current } });
      expect(await connectCode(rotated, connectToken(previous))).to.equal("token-invalid");
    });

    it("written base64: verify both decoded and taken literally", async () => {
      const [current, previous] = [key(), key()];
      const relay = await stage.relay({ env: { APP_KEY: current, APP_PREVIOUS_KEYS: previous } });
      for (const each of [current, previous]) {
        expect(await connectCode(relay, connectToken(Buffer.from(each.slice(7), "base64"))), "decoded").to.equal("accepted");
        expect(await connectCode(relay, connectToken(Buffer.from(each))), "literal").to.equal("accepted");
        expect(await connectCode(relay, connectToken(Buffer.from(each.slice(7)))), "without the prefix").to.equal("token-invalid");
      }
    });

    it("of a site are its own: they hold nowhere else, and no other key holds there", async () => {
      const [own, common] = [key(), key()];
      const relay = await stage.relay({ env: { APP_KEY: common }, file: { sites: { acme: { keys: [own] } } } });
      expect(await connectCode(relay, connectToken(own, { site: "acme" }), "acme")).to.equal("accepted");
      expect(await connectCode(relay, connectToken(common, { site: "acme" }), "acme")).to.equal("token-invalid");
      expect(await connectCode(relay, connectToken(own, { site: "5" }), "5")).to.equal("token-invalid");
      // The key goes by the namespace, never by what the token claims.
      expect(await connectCode(relay, connectToken(own, { site: "acme" }), "5")).to.equal("token-invalid");
      expect(await connectCode(relay, connectToken(common, { site: "5" }), "acme")).to.equal("token-invalid");
      expect(await connectCode(relay, connectToken(common, { site: "5" }), "5")).to.equal("accepted");
    });

    it("with a kid are chosen by the header's", async () => {
      const [first, second, third] = [key(), key(), key()];
      const keys = [{ key: first, kid: "k1" }, { key: second, kid: "k2" }, third];
      const relay = await stage.relay({ file: { sites: { acme: { keys } } } });
      const codeWith = (signer: string, kid: unknown): Promise<string> => {
        const claims = { aud: "bellwire:connect", site: "acme", sub: "ann", iat: now(), exp: now() + 60 };
        return connectCode(relay, jwt(signer, claims, { alg: "HS256", kid }), "acme");
      };
      expect(await codeWith(first, "k1")).to.equal("accepted");
      expect(await codeWith(second, "k2")).to.equal("accepted");
      expect(await codeWith(third, undefined)).to.equal("accepted");
      expect(await codeWith(third, "unknown")).to.equal("accepted");
      for (const [signer, kid] of [
        [first, "k2"],
        [first, undefined],
        [third, "k1"],
        [second, "unknown"],
        [first, ["k1"]],
        [first, { toString: "k1" }],
        [first, "__proto__"],
      ] as const) {
        expect(await codeWith(signer, kid), JSON.stringify(kid)).to.equal("token-invalid");
      }
    });
  });

  describe("of visitors without a user", () => {
    it("are good where anonymous connections are allowed, and refused elsewhere", async () => {
      const file = { anonymous: false, sites: { open: { anonymous: true } } };
      const [lenient, strict] = [await stage.relay(), await stage.relay({ file })];
      for (const sub of [undefined, "", null]) {
        const tokenFor = (relay: TestRelay, site: string): string => connectToken(relay.appKey, { site, sub });
        expect(await connectCode(lenient, tokenFor(lenient, "5"))).to.equal("accepted");
        expect(await connectCode(strict, tokenFor(strict, "5"))).to.equal("forbidden");
        expect(await connectCode(strict, tokenFor(strict, "open"), "open")).to.equal("accepted");
      }
      expect((await (await stage.connect(lenient, { claims: { sub: "" } })).hello).user).to.equal(null);
    });

    it("subscribe with tokens of their own session only", async () => {
      const relay = await stage.relay();
      const client = await stage.connect(relay, { claims: { sub: "" } });
      const codeWith = async (id: string, claims: object): Promise<string> => {
        const token = subscribeToken(relay.appKey, { grants: [{ topic: "news" }], ...claims });
        const { results } = await client.emit<{ results: SubscribeResult[] }>("subscribe", [{ id, topic: "news", token }]);
        return codeOf(results[0]);
      };
      expect(await codeWith("1", { sub: "" })).to.equal("accepted");
      expect(await codeWith("2", { sub: "", sid: "s2" })).to.equal("forbidden");
      expect(await codeWith("3", { sub: "", sid: undefined })).to.equal("forbidden");
      expect(await codeWith("4", { sub: "ann" })).to.equal("forbidden");
    });

    it("of a user hold in another session of that user", async () => {
      const relay = await stage.relay();
      const client = await stage.connect(relay);
      const token = subscribeToken(relay.appKey, { sid: "s2", grants: [{ topic: "news" }] });
      const { results } = await client.emit<{ results: SubscribeResult[] }>("subscribe", [{ id: "1", topic: "news", token }]);
      expect(codeOf(results[0])).to.equal("accepted");
    });
  });

  describe("and their grants", () => {
    /** Grants, a request, and what comes of it. */
    const cases: [grants: object[], topic: string, filter: unknown, code: string][] = [
      [[{ topic: "news", filter: { id: 5 } }], "news", { id: 5 }, "accepted"],
      [[{ topic: "news", filter: { id: 5 } }], "news", { id: 5, type: "a" }, "accepted"],
      [[{ topic: "news", filter: { id: 5 } }], "news", { id: [5] }, "accepted"],
      [[{ topic: "news", filter: { id: 5 } }], "news", { id: 6 }, "forbidden"],
      [[{ topic: "news", filter: { id: 5 } }], "news", { id: "5" }, "forbidden"],
      [[{ topic: "news", filter: { id: 5 } }], "news", { id: [5, 6] }, "forbidden"],
      [[{ topic: "news", filter: { id: 5 } }], "news", { type: 5 }, "forbidden"],
      [[{ topic: "news", filter: { id: 5 } }], "news", {}, "forbidden"],
      [[{ topic: "news", filter: { id: 5 } }], "news", undefined, "forbidden"],
      [[{ topic: "news", filter: { id: 5 } }], "news", [], "forbidden"],
      [[{ topic: "news", filter: { id: [5, 6, 7] } }], "news", { id: [7, 5] }, "accepted"],
      [[{ topic: "news", filter: { id: [5, 6] } }], "news", { id: [5, 8] }, "forbidden"],
      [
        [
          { topic: "news", filter: { id: 5 } },
          { topic: "news", filter: { id: 6 } },
        ],
        "news",
        { id: [5, 6] },
        "forbidden",
      ],
      [
        [
          { topic: "a*", filter: { id: 5 } },
          { topic: "ab", filter: {} },
        ],
        "ab",
        {},
        "accepted",
      ],
      [[{ topic: "news" }], "news", { anything: [1, 2] }, "accepted"],
      [[{ topic: "news", filter: [] }], "news", { id: 1 }, "accepted"],
      [[{ topic: "news", filter: null }], "news", {}, "accepted"],
      [[{ topic: "news" }], "new", {}, "forbidden"],
      [[{ topic: "news" }], "newsroom", {}, "forbidden"],
      [[{ topic: "news.*" }], "news.5", {}, "accepted"],
      [[{ topic: "news.*" }], "news", {}, "forbidden"],
      [[{ topic: "*" }], "anything", {}, "accepted"],
      [[{ topic: "*" }], "$user", {}, "forbidden"],
      [[{ topic: "$*" }], "$user", {}, "forbidden"],
      [[{ topic: "$user" }], "$user", {}, "forbidden"],
      [[{ topic: "*" }], "$session:x", {}, "forbidden"],
      [[{ topic: "*" }], "no topic", {}, "bad-request"],
      [[{ topic: "*" }], "news", { id: { gt: 5 } }, "bad-request"],
      [[{ topic: "*" }], "news", { id: [] }, "bad-request"],
    ];

    const name = ([grants, topic, filter]: (typeof cases)[number]): string =>
      `${JSON.stringify(grants)} for ${topic} ${JSON.stringify(filter)}`;

    it("cover what one of them allows, and nothing else", async () => {
      const relay = await stage.relay();
      const client = await stage.connect(relay);
      const items = cases.map(([grants, topic, filter], i) => ({
        id: `i${i}`,
        topic,
        filter,
        token: subscribeToken(relay.appKey, { grants }),
      }));
      const { results } = await client.emit<{ results: SubscribeResult[] }>("subscribe", items);
      cases.forEach((each, i) => expect(codeOf(results[i]), name(each)).to.equal(each[3]));
    });

    it("may stand in the token as one topic and filter", async () => {
      const relay = await stage.relay();
      const client = await stage.connect(relay);
      const token = subscribeToken(relay.appKey, { topic: "news", filter: { id: 5 } });
      const items = [
        { id: "1", topic: "news", filter: { id: 5 }, token },
        { id: "2", topic: "news", filter: { id: 6 }, token },
      ];
      const { results } = await client.emit<{ results: SubscribeResult[] }>("subscribe", items);
      expect(results.map(codeOf)).to.deep.equal(["accepted", "forbidden"]);
    });

    it("of the connection need no further credential for what they cover, and one for the rest", async () => {
      const relay = await stage.relay();
      for (const each of cases) {
        const [grants, topic, filter, code] = each;
        const client: RawClient = await stage.connect(relay, { claims: { grants } });
        const { results } = await client.emit<{ results: SubscribeResult[] }>("subscribe", [{ id: "1", topic, filter }]);
        const reserved = topic.startsWith("$");
        expect(codeOf(results[0]), name(each)).to.equal(code === "forbidden" && !reserved ? "token-missing" : code);
        client.close();
      }
      const client = await stage.connect(relay, { claims: { grants: [{ topic: "news", filter: { id: 5 } }] } });
      const [beyond] = await client.subscribe({ id: "2", topic: "news", filter: { id: 6 } });
      expect(codeOf(beyond)).to.equal("accepted");
    });
  });
});

import { expect } from "chai";
import fc from "fast-check";
import {
  BellwireError,
  CONNECT_AUDIENCE,
  isCode,
  parseConnectClaims,
  parseSubscribeClaims,
  SUBSCRIBE_AUDIENCE,
  type Identity,
  type JsonObject,
} from "@bellwire/protocol";

const NOW = 1_760_000_000;
const ann: Identity = { site: "acme", user: "ann", session: "s1" };
const nobody: Identity = { site: "acme", user: "", session: "s1" };

const connect = (change: JsonObject = {}): JsonObject => ({
  aud: CONNECT_AUDIENCE,
  site: "acme",
  sub: "ann",
  sid: "s1",
  iat: NOW - 1,
  exp: NOW + 59,
  ...change,
});
const subscribe = (change: JsonObject = {}): JsonObject => ({
  aud: SUBSCRIBE_AUDIENCE,
  site: "acme",
  sub: "ann",
  iat: NOW - 1,
  exp: NOW + 59,
  grants: [{ topic: "Contact_*", filter: { id: [5, 6] } }],
  ...change,
});

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof BellwireError) return error.code;
    throw error;
  }
  return "accepted";
}

const connectCode = (change: JsonObject, site = "acme"): string => codeOf(() => parseConnectClaims(connect(change), site, NOW));
const subscribeCode = (change: JsonObject, who = ann): string => codeOf(() => parseSubscribeClaims(subscribe(change), who, NOW));

describe("a connection token", () => {
  it("gives the connection its identity, end and grants", () => {
    const permit = parseConnectClaims(
      connect({
        until: NOW + 3600,
        jti: "j",
        info: { name: "Ann" },
        subscriptions: [{ topic: "news" }],
        grants: [{ topic: "Contact_*", filter: { id: 5 } }],
      }),
      "acme",
      NOW,
    );
    expect(permit).to.deep.include({
      site: "acme",
      user: "ann",
      session: "s1",
      iat: NOW - 1,
      jti: "j",
      until: NOW + 3600,
      info: { name: "Ann" },
    });
    expect(permit.subscriptions.map((one) => one.topic + one.filter.canonical)).to.deep.equal(["news{}"]);
    expect(permit.grants.map((one) => one.topic + one.filter.canonical)).to.deep.equal(['Contact_*{"id":5}']);
  });

  it("without a user is anonymous, whether sub is absent, null or empty", () => {
    for (const sub of [undefined, null, ""]) expect(parseConnectClaims(connect({ sub }), "acme", NOW).user).to.equal("");
  });

  it("has a user of at most 128 bytes, not characters", () => {
    expect(connectCode({ sub: "é".repeat(64) })).to.equal("accepted");
    expect(connectCode({ sub: "é".repeat(64) + "a" })).to.equal("token-invalid");
    expect(connectCode({ sub: "x".repeat(1_000_000) })).to.equal("token-invalid");
    expect(connectCode({ sub: "\ud800" })).to.equal("token-invalid");
    expect(connectCode({ sub: 42 }), "a number is not a string").to.equal("token-invalid");
    expect(connectCode({ sid: 42 })).to.equal("token-invalid");
  });

  it("is for one site, one audience and one time", () => {
    expect(connectCode({}, "other")).to.equal("wrong-site");
    expect(connectCode({ site: 5 })).to.equal("token-invalid");
    expect(connectCode({ aud: SUBSCRIBE_AUDIENCE })).to.equal("token-invalid");
    expect(connectCode({ aud: undefined })).to.equal("token-invalid");
    expect(connectCode({ aud: ["x", CONNECT_AUDIENCE] })).to.equal("accepted");
    expect(connectCode({ exp: NOW })).to.equal("token-expired");
    expect(connectCode({ exp: NOW + 0.5, iat: NOW - 0.5 }), "fractions are allowed").to.equal("accepted");
    expect(connectCode({ until: NOW })).to.equal("token-expired");
    expect(connectCode({ until: NOW + 1 })).to.equal("accepted");
    expect(connectCode({ iat: NOW + 60 }), "clocks differ a little").to.equal("accepted");
    expect(connectCode({ iat: NOW + 61, exp: NOW + 120 })).to.equal("token-invalid");
    for (const value of [undefined, null, "1", NaN, -1, Infinity]) {
      expect(connectCode({ iat: value })).to.equal("token-invalid");
      expect(connectCode({ exp: value })).to.equal("token-invalid");
    }
    expect(connectCode({ until: "tomorrow" })).to.equal("token-invalid");
  });

  it("names whole, unreserved topics in its subscriptions", () => {
    for (const topic of ["a*", "$user", ""]) expect(connectCode({ subscriptions: [{ topic }] })).to.equal("token-invalid");
    expect(connectCode({ subscriptions: "news" })).to.equal("token-invalid");
    expect(connectCode({ grants: [{ topic: "a", filter: { id: [] } }] })).to.equal("token-invalid");
    expect(connectCode({ grants: [], subscriptions: [] })).to.equal("accepted");
  });
});

describe("a subscribe token", () => {
  it("grants a list, or one topic and filter", () => {
    const list = parseSubscribeClaims(subscribe(), ann, NOW);
    expect(list.grants.map((one) => one.topic + one.filter.canonical)).to.deep.equal(['Contact_*{"id":[5,6]}']);
    const one = parseSubscribeClaims(subscribe({ grants: undefined, topic: "news", filter: { id: 5 } }), ann, NOW);
    expect(one.grants.map((grant) => grant.topic + grant.filter.canonical)).to.deep.equal(['news{"id":5}']);
    expect(subscribeCode({ grants: undefined })).to.equal("token-invalid");
  });

  it("belongs to the connection's user, and without one to its session", () => {
    expect(subscribeCode({ sub: "ben" })).to.equal("forbidden");
    expect(subscribeCode({ sub: undefined })).to.equal("forbidden");
    expect(subscribeCode({ sid: "another" }), "a user may have several sessions").to.equal("accepted");
    expect(subscribeCode({ sub: "", sid: "s1" }, nobody)).to.equal("accepted");
    expect(subscribeCode({ sub: "", sid: "another" }, nobody)).to.equal("forbidden");
    expect(subscribeCode({ sub: "" }, nobody)).to.equal("forbidden");
    expect(subscribeCode({ sub: "ann" }, nobody)).to.equal("forbidden");
    expect(subscribeCode({ site: "other" })).to.equal("wrong-site");
    expect(subscribeCode({ aud: CONNECT_AUDIENCE })).to.equal("token-invalid");
    expect(subscribeCode({ exp: NOW })).to.equal("token-expired");
    expect(subscribeCode({ until: NOW - 1 })).to.equal("token-expired");
  });
});

describe("any claims at all", () => {
  it("are accepted or refused with a code that fits, never anything else", () => {
    const value = fc.oneof(
      fc.anything(),
      fc.constantFrom<unknown>("acme", NOW, NOW + 1, CONNECT_AUDIENCE, SUBSCRIBE_AUDIENCE, [], {}, null),
    );
    const keys = ["aud", "site", "sub", "sid", "iat", "exp", "jti", "until", "info", "grants", "subscriptions", "topic", "filter"];
    const changes = fc.uniqueArray(fc.tuple(fc.constantFrom(...keys), value), { selector: ([key]) => key, maxLength: 3 });
    const allowed = ["token-invalid", "token-expired", "wrong-site", "forbidden", "accepted"];
    fc.assert(
      fc.property(
        fc.oneof(
          changes.map((pairs) => Object.fromEntries(pairs)),
          fc.dictionary(fc.string(), fc.anything()),
        ),
        (change) => {
          const code = connectCode(change);
          expect(code).to.be.oneOf(allowed);
          expect(code === "accepted" || isCode(code)).to.equal(true);
          expect(subscribeCode(change)).to.be.oneOf(allowed);
        },
      ),
      { numRuns: 3000 },
    );
    for (const payload of [null, undefined, "x", 5, [], [1]])
      expect(codeOf(() => parseConnectClaims(payload, "acme", NOW))).to.equal("token-invalid");
  });
});

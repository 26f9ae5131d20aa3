import { createHmac } from "node:crypto";
import { expect } from "chai";
import type { SubscribeResult } from "@bellwire/protocol";
import { refusal } from "../support/socket.js";
import { connectToken, jwt, now, subscribeToken } from "../support/tokens.js";
import { APP_KEY } from "./controlled.js";
import { Stage } from "./stage.js";

const SIGNATURE = "The token's signature does not hold: check APP_KEY";
const text = (value: string): string => Buffer.from(value).toString("base64url");
const claims = (): object => JSON.parse(Buffer.from(connectToken(APP_KEY).split(".")[1] as string, "base64url").toString()) as object;

/** Signed whatever the parts are. */
function signed(header: string, payload: string): string {
  return `${header}.${payload}.${createHmac("sha256", APP_KEY).update(`${header}.${payload}`).digest("base64url")}`;
}

describe("what is wrong with a token", () => {
  const stage = Stage.forEachTest();

  /** The sentence that a connection is refused with; the code as well where it is another than token-invalid. */
  async function sentences(tokens: readonly string[]): Promise<string[]> {
    const relay = await stage.relay({ env: { APP_KEY } });
    const all = tokens.map(async (token) => {
      const { code, message } = await refusal(stage.client(relay, { auth: { v: 1, token } }));
      return code === "token-invalid" ? message : `${code}: ${message}`;
    });
    return Promise.all(all);
  }

  it("is told by its form before its signature", async () => {
    const header = text('{"alg":"HS256","typ":"JWT"}');
    const payload = text(JSON.stringify(claims()));
    const padded = Buffer.from(`${JSON.stringify(claims())}${" ".repeat(3 - (JSON.stringify(claims()).length % 3) + 1)}`).toString(
      "base64",
    );
    expect(padded).to.match(/=$/);
    expect(
      await sentences([
        "bad",
        signed(header, padded),
        signed(text("alg"), payload),
        jwt(APP_KEY, claims(), { alg: "RS256" }),
        `${text('{"alg":"none"}')}.${payload}.`,
        jwt(APP_KEY, claims(), { alg: "HS256", crit: ["x"], x: 1 }),
        signed(header, text('{"aud":"bellwire:connect",}')),
        signed(header, text("[1]")),
        jwt("another key of at least thirty-two bytes", claims()),
      ]),
    ).to.deep.equal([
      "The token is not a JWT: that is three parts with dots between them",
      "The token is not written in base64url: that has no padding (=), and - and _ in place of + and /",
      "The token is not a JWT: its header is no JSON object",
      "The token's algorithm is RS256: it must be HS256",
      "The token's algorithm is none: it must be HS256",
      "The token's header demands extensions by crit, and relays know none: leave it out",
      "The token's payload is no JSON object",
      "The token's payload is no JSON object",
      SIGNATURE,
    ]);
  });

  it("is told with the claim, its type and its value, which is shortened", async () => {
    const wrong = [
      { sub: 7 },
      { sid: ["s1"] },
      { site: 5 },
      { jti: 7 },
      { iat: undefined },
      { exp: "1760000060" },
      { until: true },
      { nbf: "x".repeat(500) },
      { aud: "shop" },
      { sub: "u".repeat(200) },
      { subscriptions: [{ topic: "A_*" }] },
    ];
    expect(await sentences(wrong.map((one) => connectToken(APP_KEY, one)))).to.deep.equal([
      "The token's claim sub is the number 7: it must be a string",
      "The token's claim sid is a list: it must be a string",
      "The token's claim site is the number 5: it must be a string, the name of a site",
      "The token's claim jti is the number 7: it must be a string",
      "The token has no iat: it must be a number of epoch seconds",
      'The token\'s claim exp is the text "1760000060": it must be a number of epoch seconds',
      "The token's claim until is true: it must be a number of epoch seconds",
      `The token's claim nbf is the text "${"x".repeat(24)}…": it must be a number of epoch seconds`,
      'The token\'s claim aud is the text "shop": it must be bellwire:connect',
      `The token's claim sub is the text "${"u".repeat(24)}…": it must be valid Unicode of 1 to 128 bytes`,
      "The token's subscriptions can't be used: A subscription in a token names one whole topic",
    ]);
  });

  it("is told with the times that a wrong clock shows in", async () => {
    const t = now();
    const [behind, ahead, early] = await sentences([
      connectToken(APP_KEY, { iat: t - 65, exp: t - 5 }),
      connectToken(APP_KEY, { iat: t + 100, exp: t + 160 }),
      connectToken(APP_KEY, { nbf: t + 100, exp: t + 160 }),
    ]);
    expect(behind).to.match(
      /^token-expired: The token has expired: .*clock is behind.*\(by the relay's clock iat 6[5-9] s ago, exp just now\)$/,
    );
    expect(ahead).to.match(
      /^The token's iat lies in the future: check the backend's clock.*\(by the relay's clock iat in \d+ s, exp in \d+ s\)$/,
    );
    expect(early).to.match(/^The token is not valid yet, by its nbf.*\(by the relay's clock iat just now, nbf in \d+ s, exp in \d+ s\)$/);
  });

  it("is told of subscribe tokens alike", async () => {
    const relay = await stage.relay({ env: { APP_KEY } });
    const client = await stage.connect(relay);
    const { results } = await client.emit<{ results: SubscribeResult[] }>("subscribe", [
      { id: "1", topic: "T", token: subscribeToken("another key of at least thirty-two bytes", { topic: "T" }) },
      { id: "2", topic: "T", token: subscribeToken(APP_KEY, { topic: "T", sub: 7 }) },
    ]);
    expect(results.map((one) => ("error" in one ? one.error.message : one))).to.deep.equal([
      SIGNATURE,
      "The token's claim sub is the number 7: it must be a string",
    ]);
  });
});

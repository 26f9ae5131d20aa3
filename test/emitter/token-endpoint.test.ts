import { expect } from "chai";
import { jwtVerify } from "jose";
import { grantCovers, parseConnectClaims, parseFilter, parseSubscribeClaims, type SubscribePermit } from "@bellwire/protocol";
import { createTokenEndpoint, createTopics, defineTopic, parseKey, type TokenEndpointOptions, type UserLike } from "@bellwire/emitter";

const KEY = "k".repeat(32);
const URL_ = "wss://example.com/ws";

interface User {
  readonly id: string;
  readonly admin: boolean;
}

interface Reply {
  readonly enabled?: boolean;
  readonly url?: string;
  readonly site?: string;
  readonly token?: string;
  readonly subscribeToken?: string;
  readonly subscribeTokens?: readonly string[];
  readonly results?: { topic: unknown; filter: unknown; token?: number; error?: { code: string; message: string; retry: string } }[];
  readonly error?: { code: string; message: string; retry: string };
}

const topics = createTopics<User>([
  defineTopic("Contact_Updated_Topic", () => true),
  defineTopic("Admin_Alert_Topic", { canSubscribe: async (user: User) => user.admin }),
  defineTopic("user.{id}", (user: User, _filter, { id }) => user?.id === id),
  defineTopic("short", () => ({ until: Math.floor(Date.now() / 1000) + 100 })),
  defineTopic("past", () => ({ until: 1 })),
  defineTopic("throws", () => {
    throw new Error("SELECT secret");
  }),
  defineTopic("rejects", () => Promise.reject(new Error("SELECT secret"))),
  defineTopic("odd", () => "yes" as never),
  defineTopic("nothing", (() => undefined) as never),
  defineTopic("hangs", () => new Promise<boolean>(() => undefined)),
]);

/** Subscriptions that no merging helps. */
const UNLIKE = Array.from({ length: 60 }, (_, i) => ({ topic: "Contact_Updated_Topic", filter: { [`key${i}`]: "x".repeat(1000) } }));

const reports: [Error, object][] = [];

function endpoint(
  change: Partial<TokenEndpointOptions<User>> = {},
): (body?: unknown, init?: RequestInit) => Promise<{ response: Response; reply: Reply }> {
  const handler = createTokenEndpoint<User>({
    key: KEY,
    url: URL_,
    topics,
    authenticate: () => ({ site: "5", user: { id: "ann", admin: false }, session: "s1" }),
    onError: (error, context) => reports.push([error, context]),
    ...change,
  });
  return async (body = {}, init = {}) => {
    const request = new Request("http://app.test/realtime", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: typeof body === "string" ? body : JSON.stringify(body),
      ...init,
    });
    const response = await handler(request);
    return { response, reply: (await response.json()) as Reply };
  };
}

async function verified(token: string | undefined): Promise<unknown> {
  return (await jwtVerify(token as string, parseKey(KEY).sign, { algorithms: ["HS256"] })).payload;
}

async function permitOf(reply: Reply): Promise<SubscribePermit> {
  return parseSubscribeClaims(await verified(reply.subscribeToken), { site: "5", user: "ann", session: "s1" }, Date.now() / 1000);
}

describe("the token endpoint", () => {
  beforeEach(() => reports.splice(0));

  it("answers with a token for the connection", async () => {
    const { response, reply } = await endpoint()();
    expect(response.status).to.equal(200);
    expect(response.headers.get("cache-control")).to.equal("no-store");
    expect(reply).to.have.all.keys("enabled", "url", "site", "token");
    expect(reply).to.deep.include({ enabled: true, url: URL_, site: "5" });
    const permit = parseConnectClaims(await verified(reply.token), "5", Date.now() / 1000);
    expect(permit).to.deep.include({ user: "ann", session: "s1" });
  });

  it("answers GET the same, and an empty body, and PHP's []", async () => {
    const ask = endpoint();
    expect((await ask(undefined, { method: "GET", body: null })).reply.enabled).to.equal(true);
    expect((await ask("")).reply.enabled).to.equal(true);
    expect((await ask([])).reply.enabled).to.equal(true);
  });

  it("puts what is allowed into one token, and says in order what is not", async () => {
    const subscriptions = [
      { topic: "Contact_Updated_Topic", filter: { id: 5 } },
      { topic: "Admin_Alert_Topic" },
      { topic: "Contact_Updated_Topic", filter: { id: 6 } },
      { topic: "user.ann", filter: [] },
      { topic: "user.ben" },
      { topic: "Unknown_Topic" },
    ];
    const { reply } = await endpoint()({ subscriptions });
    expect(reply.results?.map(({ topic, filter, error }) => [topic, filter, error?.code])).to.deep.equal([
      ["Contact_Updated_Topic", { id: 5 }, undefined],
      ["Admin_Alert_Topic", {}, "forbidden"],
      ["Contact_Updated_Topic", { id: 6 }, undefined],
      ["user.ann", {}, undefined],
      ["user.ben", {}, "forbidden"],
      ["Unknown_Topic", {}, "forbidden"],
    ]);
    const { grants } = await permitOf(reply);
    const covered = (topic: string, filter: object): boolean => grants.some((grant) => grantCovers(grant, topic, parseFilter(filter)));
    expect(covered("Contact_Updated_Topic", { id: 5 })).to.equal(true);
    expect(covered("Contact_Updated_Topic", { id: 6 })).to.equal(true);
    expect(covered("Contact_Updated_Topic", { id: 7 })).to.equal(false);
    expect(covered("Contact_Updated_Topic", {})).to.equal(false);
    expect(covered("user.ann", {})).to.equal(true);
    expect(covered("Admin_Alert_Topic", {})).to.equal(false);
  });

  it("answers without a subscribe token where nothing is allowed", async () => {
    const { reply } = await endpoint()({ subscriptions: [{ topic: "user.ben" }] });
    expect(reply).not.to.have.property("subscribeToken");
    expect((await endpoint()({ subscriptions: [] })).reply.results).to.deep.equal([]);
  });

  it("asks a rule once about the same pair", async () => {
    let asked = 0;
    const counting = [defineTopic("a", () => ++asked > 0)];
    const { reply } = await endpoint({ topics: counting })({
      subscriptions: [
        { topic: "a", filter: { x: [1, 2] } },
        { topic: "a", filter: { x: [2, 1] } },
      ],
    });
    expect(asked).to.equal(1);
    expect(reply.results?.every(({ error }) => error === undefined)).to.equal(true);
  });

  it("hands user, filter, params and context to the rule", async () => {
    const calls: unknown[][] = [];
    const watching = [defineTopic("order.{no}", (...args) => calls.push(args) > 0)];
    await endpoint({ topics: watching })({ subscriptions: [{ topic: "order.7", filter: { b: [2], a: 1 } }] });
    expect(calls).to.deep.equal([
      [{ id: "ann", admin: false }, { a: 1, b: 2 }, { no: "7" }, { site: "5", topic: "order.7", session: "s1" }],
    ]);
  });

  it("ends the token with the first of its subscriptions", async () => {
    const { reply } = await endpoint()({ subscriptions: [{ topic: "short" }, { topic: "Contact_Updated_Topic" }, { topic: "past" }] });
    expect((await permitOf(reply)).until).to.be.closeTo(Date.now() / 1000 + 100, 5);
    expect(reply.results?.map(({ error }) => error?.code)).to.deep.equal([undefined, undefined, "forbidden"]);
  });

  it("refuses what a rule can't answer, reports it, and tells nobody its message", async () => {
    const subscriptions = ["throws", "rejects", "odd", "nothing", "hangs"].map((topic) => ({ topic }));
    const { reply } = await endpoint({ timeout: 30 })({ subscriptions });
    expect(reply.results?.map(({ error }) => error?.code)).to.deep.equal(Array(5).fill("internal"));
    expect(JSON.stringify(reply)).not.to.contain("SELECT");
    expect(reply).not.to.have.property("subscribeToken");
    expect(reports.map(([, context]) => context)).to.have.deep.members(subscriptions.map(({ topic }) => ({ site: "5", topic })));
  });

  it("refuses what is malformed, each for itself", async () => {
    const { reply } = await endpoint()({
      subscriptions: [
        null,
        7,
        {},
        { topic: "a b" },
        { topic: "$user" },
        { topic: "Contact_Updated_Topic", filter: { id: [] } },
        { topic: "Contact_Updated_Topic" },
      ],
    });
    const bad = "bad-request";
    expect(reply.results?.map(({ error }) => error?.code)).to.deep.equal([bad, bad, bad, bad, "forbidden", bad, undefined]);
  });

  it("puts 500 records into one token that a relay takes", async () => {
    const subscriptions = Array.from({ length: 500 }, (_, i) => ({ topic: "Contact_Updated_Topic", filter: { id: 100_000 + i } }));
    const { reply } = await endpoint()({ subscriptions });
    expect(reply.results?.filter(({ error }) => error !== undefined)).to.deep.equal([]);
    expect(reply.subscribeToken?.length).to.be.below(16_384);
    const { grants } = await permitOf(reply);
    for (const { topic, filter } of subscriptions)
      expect(grants.some((grant) => grantCovers(grant, topic, parseFilter(filter)))).to.equal(true);
  });

  it("makes several tokens where one has no room for all, and says which covers what", async () => {
    const { response, reply } = await endpoint()({ subscriptions: UNLIKE });
    expect(response.status).to.equal(200);
    const tokens = reply.subscribeTokens ?? [];
    expect(tokens).to.have.length.within(5, 9);
    expect(tokens[0]).to.equal(reply.subscribeToken);
    for (const token of tokens) expect(token.length).to.be.at.most(16_384);
    const permits = await Promise.all(tokens.map((token) => permitOf({ subscribeToken: token })));
    for (const [i, { topic, filter }] of UNLIKE.entries()) {
      const result = reply.results?.[i];
      const { grants } = permits[result?.token ?? 0] as SubscribePermit;
      expect(grants.some((grant) => grantCovers(grant, topic, parseFilter(filter)))).to.equal(true);
      // Clients that know of one token only ask for the others again.
      if (result?.token === undefined) expect(result?.error).to.equal(undefined);
      else expect([result.token > 0, result.error?.code, result.error?.retry]).to.deep.equal([true, "limit", "later"]);
    }
  });

  it("takes 500 subscriptions of other topics, other keys and any script", async () => {
    const rooms = [defineTopic("room.{id}", () => true)];
    const subscriptions = Array.from({ length: 500 }, (_, i) => ({
      topic: `room.${i}-7f9c24e5-2b1d-4a37-9d0e-7a1f00c4f1aa`,
      filter: { name: `\u{1F514}\u{1F469}\u200D\u{1F4BB} \u0905\u092E\u0940\u0930 ${i}`, [`k${i % 7}`]: i },
    }));
    const { reply } = await endpoint({ topics: rooms })({ subscriptions });
    const permits = await Promise.all((reply.subscribeTokens ?? []).map((token) => permitOf({ subscribeToken: token })));
    expect(permits.length).to.be.above(3);
    for (const [i, { topic, filter }] of subscriptions.entries()) {
      const { grants } = permits[reply.results?.[i]?.token ?? 0] as SubscribePermit;
      expect(grants.some((grant) => grantCovers(grant, topic, parseFilter(filter)))).to.equal(true);
    }
  });

  it("refuses for good only the filter that no token has room for", async () => {
    // 4 bytes a character in a token, and 2 units in a filter's bound.
    const large = { name: Array.from({ length: 7 }, (_, i) => `${i}${"\u{1F514}".repeat(500)}`) };
    const subscriptions = [{ topic: "Contact_Updated_Topic", filter: large }, { topic: "Contact_Updated_Topic" }];
    const { reply } = await endpoint()({ subscriptions });
    expect(reply.results?.map(({ error }) => [error?.code, error?.retry])).to.deep.equal([
      ["too-large", "never"],
      [undefined, undefined],
    ]);
    expect((await permitOf(reply)).grants.map(({ filter }) => filter.canonical)).to.deep.equal(["{}"]);
  });

  it("has room for grants beside the longest ids", async () => {
    const id = "\u0001".repeat(128); // six characters each, as JSON
    const authenticate = (): { site: string; user: User; session: string } => ({
      site: "s".repeat(64),
      user: { id, admin: false },
      session: id,
    });
    const { response, reply } = await endpoint({ authenticate, kid: "k".repeat(200) })({ subscriptions: UNLIKE });
    expect(response.status).to.equal(200);
    expect(reply.subscribeTokens).to.have.length.above(5);
  });

  it("answers 401 where nobody is signed in, or the session is over", async () => {
    for (const authenticate of [
      () => null,
      async () => null,
      () => ({ site: "5" }),
      () => ({ site: "5", user: { id: "ann", admin: true }, until: 1 }),
    ]) {
      const { response, reply } = await endpoint({ authenticate })();
      expect(response.status).to.equal(401);
      expect(reply.error?.code).to.equal("token-missing");
    }
  });

  it("answers visitors where that is allowed", async () => {
    const { reply } = await endpoint({ authenticate: () => ({ site: "5", session: "v1" }), allowAnonymous: true })({
      subscriptions: [{ topic: "Contact_Updated_Topic" }, { topic: "user.ann" }],
    });
    expect(parseConnectClaims(await verified(reply.token), "5", Date.now() / 1000)).to.include({ user: "", session: "v1" });
    expect(reply.results?.map(({ error }) => error?.code)).to.deep.equal([undefined, "forbidden"]);
    parseSubscribeClaims(await verified(reply.subscribeToken), { site: "5", user: "", session: "v1" }, Date.now() / 1000);
  });

  it("takes ids that are integers, and writes them as text", async () => {
    for (const user of ["42", { id: "42" }, 42, { id: 42 }, 42n]) {
      const handler = createTokenEndpoint<UserLike>({
        key: KEY,
        url: URL_,
        topics: [defineTopic("T", () => true)],
        authenticate: () => ({ site: 5, user, session: 7 }),
      });
      const body = JSON.stringify({ subscriptions: [{ topic: "T" }] });
      const headers = { "content-type": "application/json" };
      const reply = (await (await handler(new Request("http://x/", { method: "POST", headers, body }))).json()) as Reply;
      expect(reply.site).to.equal("5");
      for (const token of [reply.token, reply.subscribeToken]) expect(await verified(token)).to.include({ site: "5", sub: "42", sid: "7" });
    }
  });

  it("tells the application, and nobody else, which id is none and what it got", async () => {
    for (const [identity, sentence] of [
      [{ site: 5.5, user: "ann" }, /^A site is .*, not the number 5.5$/],
      [{ site: undefined, user: "ann" }, /^A site is .*, not undefined$/],
      [{ site: "a b", user: "ann" }, /^A site is .*, not "a b"$/],
      [{ site: "5", user: true }, /^A user is .*, not the boolean true$/],
      [{ site: "5", user: { id: {} } }, /^A user is .*, not an object$/],
      [{ site: "5", user: 2 ** 60 }, /^A user is .*, not 1152921504606847000, which is beyond 2\^53: pass it as a string$/],
      [{ site: "5", user: "ann", session: ["s"] }, /^A session is .*, not an array$/],
      [{ site: "5", user: "x".repeat(129) }, /^A user is .*, not "x{40}" and 89 more characters$/],
    ] as const) {
      reports.splice(0);
      const { response, reply } = await endpoint({ authenticate: () => identity as never })();
      expect([response.status, reply.error?.message]).to.deep.equal([500, "The token endpoint failed"]);
      expect(reports.map(([{ message }]) => message)).to.have.length(1);
      expect(reports[0]?.[0].message).to.match(sentence);
    }
  });

  it("puts grants, subscriptions, info and the end into the connection token", async () => {
    const until = Math.floor(Date.now() / 1000) + 1000;
    const ask = endpoint({
      authenticate: () => ({ site: "5", user: { id: "ann", admin: true }, info: { name: "Ann" }, until }),
      grants: ({ user }) => (user?.admin === true ? [{ topic: "Admin_*" }] : []),
      subscriptions: async () => [{ topic: "news" }],
      ttl: 10,
      url: (request) => `wss://${new URL(request.url).host}`,
    });
    const { reply } = await ask({ subscriptions: [{ topic: "Contact_Updated_Topic" }] });
    expect(reply.url).to.equal("wss://app.test");
    const payload = (await verified(reply.token)) as { iat: number; exp: number };
    expect(payload).to.deep.include({ info: { name: "Ann" }, until, grants: [{ topic: "Admin_*" }], subscriptions: [{ topic: "news" }] });
    expect(payload.exp - payload.iat).to.be.within(10, 11);
    expect(await verified(reply.subscribeToken)).to.include({ until });
  });

  it("answers {enabled: false} where it is switched off, without a key", async () => {
    const handler = createTokenEndpoint({ enabled: false, topics: [], authenticate: () => null });
    const response = await handler(new Request("http://x/"));
    expect([response.status, await response.json()]).to.deep.equal([200, { enabled: false }]);
  });

  it("is closed to forms, other methods, and bodies that are too large or no JSON", async () => {
    const ask = endpoint();
    const large = JSON.stringify({ x: "x".repeat(256 * 1024) });
    const json = { "content-type": "application/json" };
    const cases: [unknown, RequestInit, number, string][] = [
      ["{}", { headers: { "content-type": "text/plain" } }, 400, "bad-request"],
      ["{}", { headers: {} }, 400, "bad-request"],
      ["{", {}, 400, "bad-request"],
      ["[1]", {}, 400, "bad-request"],
      ['"x"', {}, 400, "bad-request"],
      [{ subscriptions: {} }, {}, 400, "bad-request"],
      [{ subscriptions: Array.from({ length: 501 }, () => ({ topic: "a" })) }, {}, 413, "too-large"],
      [large, {}, 413, "too-large"],
      [large, { headers: { ...json, "content-length": "2" } }, 413, "too-large"],
      ["{}", { method: "PUT" }, 405, "bad-request"],
    ];
    for (const [body, init, status, code] of cases) {
      const { response, reply } = await ask(body, init);
      expect([response.status, reply.error?.code], `${JSON.stringify(init)} ${JSON.stringify(body).slice(0, 40)}`).to.deep.equal([
        status,
        code,
      ]);
    }
    expect((await ask("{}", { method: "DELETE" })).response.headers.get("allow")).to.equal("GET, POST");
  });

  it("answers 500 without details where authenticate or a claim fails, and reports it", async () => {
    const failing: Partial<TokenEndpointOptions<User>>[] = [
      {
        authenticate: () => {
          throw new Error("SELECT secret");
        },
      },
      { authenticate: () => Promise.reject(new Error("SELECT secret")) },
      { authenticate: () => new Promise(() => undefined), timeout: 20 },
      { authenticate: () => ({ site: "not a site", user: { id: "ann", admin: false } }) },
      { authenticate: () => ({ site: "5", user: { id: "ann", admin: false }, info: 1n }) },
      {
        grants: () => {
          throw new Error("SELECT secret");
        },
      },
      { grants: () => [{ topic: "not a topic" }] },
      {
        url: () => {
          throw new Error("SELECT secret");
        },
      },
    ];
    for (const [i, change] of failing.entries()) {
      const { response, reply } = await endpoint(change)();
      expect([response.status, reply.error?.code], String(i)).to.deep.equal([500, "internal"]);
      expect(JSON.stringify(reply)).not.to.contain("SELECT");
    }
    expect(reports).to.have.length(failing.length);
  });

  it("refuses options that can't work, at once", () => {
    const authenticate = (): null => null;
    const make = (options: object) => () => createTokenEndpoint(options as TokenEndpointOptions);
    expect(make({ url: URL_, topics: [], authenticate })).to.throw(TypeError, /APP_KEY/);
    expect(make({ key: "short", url: URL_, topics: [], authenticate })).to.throw(TypeError, /32/);
    expect(make({ key: KEY, topics: [], authenticate })).to.throw(TypeError, /REALTIME_PUBLIC_URL/);
    expect(make({ key: KEY, url: "example.com", topics: [], authenticate })).to.throw(TypeError, /url/);
    expect(make({ key: KEY, url: URL_, topics: [] })).to.throw(TypeError, /authenticate/);
  });
});

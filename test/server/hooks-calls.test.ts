import { expect } from "chai";
import fc from "fast-check";
import type { RpcReply } from "../../server/src/hooks/hooks.js";
import { passedHeaders } from "../../server/src/hooks/passed-headers.js";
import { isAllowed, normalAllowed, parseRpcPath } from "../../server/src/hooks/rpc-path.js";
import { stablePort } from "../support/stable-port.js";
import { asker, codeOfRefusal, HookBackend, hooksOf, isSigned, raw, silence, type TestHooks } from "./hooks-backend.js";
import { Stage } from "./stage.js";

const SECRET = Buffer.alloc(32, 9);

describe("rpc methods as HTTP calls", () => {
  const stage = Stage.forEachTest();

  async function application(
    allow: readonly string[],
    more: object = {},
  ): Promise<TestHooks & { backend: HookBackend; call: (method: string, data?: unknown, who?: object) => Promise<RpcReply> }> {
    const backend = await HookBackend.open(stage);
    const made = await hooksOf(stage, {
      secret: `whsec_${SECRET.toString("base64")}`,
      rpc: { http: backend.origin, allow, ...more },
    });
    const call = (method: string, data?: unknown, who: object = {}): Promise<RpcReply> =>
      made.hooks.rpc({ ...asker(who), method, data }) as Promise<RpcReply>;
    return { ...made, backend, call };
  }

  it("put data into the query or into a JSON body, by their verb", async () => {
    const { backend, call } = await application(["get:*", "head:*", "post:*", "put:*", "patch:*", "delete:*"]);
    const data = { "a b": "c&d=é", n: 1.5, yes: true, none: null };
    for (const method of ["get:users/1", "HEAD:users/1", "post:news/store", "put:/a/", "patch:a", "delete:a/b%20c"])
      await call(method, data);
    await call("get:plain");
    await call("get:plain", []);
    await call("post:plain");
    await call("post:list", [1, 2]);
    const query = "?a+b=c%26d%3D%C3%A9&n=1.5&yes=true";
    expect(backend.asked.map(({ method, url, text }) => [method, url, text])).to.deep.equal([
      ["GET", `/users/1${query}`, ""],
      ["HEAD", `/users/1${query}`, ""],
      ["POST", "/news/store", JSON.stringify(data)],
      ["PUT", "/a/", JSON.stringify(data)],
      ["PATCH", "/a", JSON.stringify(data)],
      ["DELETE", "/a/b%20c", JSON.stringify(data)],
      ["GET", "/plain", ""],
      ["GET", "/plain", ""],
      ["POST", "/plain", "{}"],
      ["POST", "/list", "[1,2]"],
    ]);
    expect(backend.asked.map(({ headers }) => headers["content-type"])).to.deep.equal([
      ...[undefined, undefined, "application/json", "application/json", "application/json", "application/json"],
      ...[undefined, undefined, "application/json", "application/json"],
    ]);
  });

  it("refuse data that is no query", async () => {
    const { backend, call } = await application(["get:a"]);
    for (const data of ["text", 5, [1], { a: [1] }, { a: {} }]) expect(await codeOfRefusal(call("get:a", data))).to.equal("bad-request");
    expect(await codeOfRefusal(call("get:a", { a: "x".repeat(9000) }))).to.equal("too-large");
    expect(backend.asked).to.deep.equal([]);
  });

  it("answer with the status and data, whatever they are", async () => {
    const { backend, call, observed } = await application(["post:a", "head:a"]);
    const json = { "content-type": "application/json; charset=utf-8" };
    const cases: [status: number, body: string, headers: Record<string, string>, data: unknown][] = [
      [200, '{"id": 1}', json, { id: 1 }],
      [201, '"made"', { "content-type": "application/problem+json" }, "made"],
      [204, "", {}, null],
      [422, '{"errors": {"title": ["missing"]}}', json, { errors: { title: ["missing"] } }],
      [404, '{"message": "No such news"}', json, { message: "No such news" }],
      [401, "who?", { "content-type": "text/plain" }, "who?"],
      [500, "<h1>Oops</h1>", { "content-type": "text/html" }, "<h1>Oops</h1>"],
      [302, "", { location: "/login" }, null],
      [200, "{broken", json, "{broken"],
      [200, '{"error": {"code": 1}, "disconnect": {"code": 1}}', json, { error: { code: 1 }, disconnect: { code: 1 } }],
    ];
    for (const [status, body, headers, data] of cases) {
      backend.answer = (_asked, response) => raw(response, status, body, headers);
      expect(await call("post:a"), body).to.deep.equal({ status, data });
    }
    backend.answer = (_asked, response) => raw(response, 200, "", json);
    expect(await call("head:a")).to.deep.equal({ status: 200, data: null });
    expect(backend.asked).to.have.length(cases.length + 1);
    expect(new Set(observed.map(({ outcome }) => outcome))).to.deep.equal(new Set(["ok"]));
  });

  it("fail where no answer comes, and are never made twice", async () => {
    const { backend, call } = await application(["post:a", "post:b"], { timeout: 150, concurrency: 1, queue: 1 });
    backend.answer = silence;
    expect(await Promise.all([1, 2, 3].map(() => codeOfRefusal(call("post:a"))))).to.have.members(["timeout", "timeout", "limit"]);
    backend.answer = (_asked, response) => {
      response.destroy();
      return silence();
    };
    expect(await codeOfRefusal(call("post:b"))).to.equal("unavailable");
    expect(backend.asked.filter(({ url }) => url === "/b")).to.have.length(1);
    const { hooks } = await hooksOf(stage, { rpc: { http: `http://127.0.0.1:${await stablePort()}`, allow: ["get:a"] } });
    expect(await codeOfRefusal(hooks.rpc({ ...asker(), method: "get:a", data: null }))).to.equal("unavailable");
  });

  it("are not-found where the list doesn't allow them, and nobody hears of them", async () => {
    const { backend, call } = await application(["get:users/*", "post:news/store"]);
    for (const method of [
      ...["get:users", "get:user/1", "post:users/1", "post:news/store/1", "post:news/stor", "get:news/store", "news/store", "ping"],
      ...[
        "get:users/../admin",
        "get:users/%2e%2e/admin",
        "get:users/..%2fadmin",
        "get:users/%252e%252e/admin",
        "get:users/.",
        "get:users//1",
      ],
      ...[
        "get://evil.example/users/",
        "get:http://evil.example/",
        "get:users/1?admin=1",
        "get:users/1#x",
        "get:users\\1",
        "get:users/%5c..%5c1",
      ],
      ...[
        "get:users/1%0d%0aX: 1",
        "get:users/\r\n",
        "get:users/%00",
        "get:users/1;a=b",
        "get:users/%zz",
        "get:users/ ",
        "get:users/.. /1",
        "options:users/1",
        "connect:users/1",
      ],
      ...["get:@evil.example/", `get:users/${"x".repeat(2000)}`, "get:users/\ud800", "get:", ":users/1", "constructor", "__proto__"],
    ]) {
      expect(await codeOfRefusal(call(method)), method).to.equal("not-found");
    }
    expect(backend.asked).to.deep.equal([]);
    await call("get:%75sers/1");
    await call("GET:users/é@x:1");
    expect(backend.asked.map(({ url }) => url)).to.deep.equal(["/users/1", "/users/%C3%A9%40x%3A1"]);
  });

  it("stay below the base address", async () => {
    const backend = await HookBackend.open(stage);
    const { hooks } = await hooksOf(stage, { rpc: { http: `${backend.origin}/api/v1`, allow: ["get:*"] } });
    await hooks.rpc({ ...asker(), method: "get:/users", data: null });
    expect(backend.asked[0]?.url).to.equal("/api/v1/users");
  });

  it("name who asks, signed with all that is asked", async () => {
    const { backend, call } = await application(["get:*", "post:*"]);
    await call("get:users/1", { a: "é" }, { user: "Jürgen\nadmin", session: "s 1" });
    await call("post:news", { title: "Ü" }, { user: "", session: "" });
    const [get, post] = backend.asked;
    if (get === undefined || post === undefined) throw new Error("Not asked");
    expect(get.headers).to.include({ "bellwire-site": "5", "bellwire-user": "J%C3%BCrgen%0Aadmin", "bellwire-session": "s%201" });
    expect(isSigned(get, SECRET, "GET /users/1?a=%C3%A9\n5\nJ%C3%BCrgen%0Aadmin\ns%201\n")).to.equal(true);
    expect(isSigned(get, SECRET, "GET /users/2?a=%C3%A9\n5\nJ%C3%BCrgen%0Aadmin\ns%201\n")).to.equal(false);
    expect(post.headers["bellwire-user"]).to.equal("");
    expect(isSigned(post, SECRET, 'POST /news\n5\n\n\n{"title":"Ü"}')).to.equal(true);
    expect(isSigned(post, SECRET, 'POST /news\n5\nadmin\n\n{"title":"Ü"}')).to.equal(false);
  });

  it("carry the browser's passed headers, but none that the relay vouches for or that frame the request", async () => {
    const { backend, call } = await application(["post:a"]);
    const headers = {
      ...{ cookie: "session=1", authorization: "Bearer x", "x-lang": "de", "bellwire-user": "admin", "webhook-signature": "v1,x" },
      ...{ host: "evil.example", "content-length": "1", "transfer-encoding": "chunked", connection: "close", "content-type": "text/plain" },
      "accept-encoding": "gzip",
    };
    await call("post:a", { x: 1 }, { headers, user: "7" });
    const [asked] = backend.asked;
    expect(asked?.headers).to.include({ cookie: "session=1", authorization: "Bearer x", "x-lang": "de", "bellwire-user": "7" });
    expect(asked?.headers["content-type"]).to.equal("application/json");
    expect(asked?.headers["accept-encoding"]).to.equal(undefined);
    expect(asked?.headers.host).to.match(/^127/);
    expect(asked?.text).to.equal('{"x":1}');
  });

  it("never lead out of what the list allows, whatever the method", () => {
    const part = fc.oneof(
      fc.constantFrom("..", ".", "/", "//", "%2e", "%2f", "%5c", "\\", "?", "#", ";", "%00", "%", "users", "admin", "@", ":", " ", "\n"),
      fc.string({ maxLength: 4 }),
    );
    const method = fc
      .tuple(fc.constantFrom("get:", "get:users/", "get:/users/", "GET:"), fc.array(part, { maxLength: 8 }))
      .map(([verb, parts]) => verb + parts.join(""));
    fc.assert(
      fc.property(method, (text) => {
        const read = parseRpcPath(text);
        if (read === undefined || !isAllowed(read, ["get:users/*"])) return;
        const url = new URL(`http://127.0.0.1/base/${read.path}`);
        expect(url.href).to.equal(`http://127.0.0.1/base/${read.path}`);
        expect(decodeURIComponent(url.pathname))
          .to.match(/^\/base\/users\//)
          .and.not.to.match(/\/\.{1,2}(\/|$)|\\|\/\//);
      }),
      { numRuns: 5000 },
    );
  });

  it("are allowed by entries that mean what they say", () => {
    expect(["GET:/users/*", "post:news/store", "get:*", "get:a/", "delete:caf%C3%A9/*"].map(normalAllowed)).to.deep.equal([
      ...["get:users/*", "post:news/store", "get:*", "get:a/", "delete:caf%C3%A9/*"],
    ]);
    for (const entry of ["", "*", "get", "get:", "fetch:a", "get:../a", "get:a?b=*", "get:a//b", "g*"]) {
      expect(normalAllowed(entry), entry).to.equal(undefined);
    }
  });
});

describe("the browser's headers", () => {
  it("are passed on by name", () => {
    const headers = { cookie: "a=1; b=2", authorization: "Bearer x", host: "h", "x-many": ["1", "2"], empty: "" };
    expect(passedHeaders(headers, [])).to.deep.equal({});
    expect(passedHeaders(headers, ["authorization", "x-many", "absent", "empty", "toString"])).to.deep.equal({
      authorization: "Bearer x",
      "x-many": "1, 2",
    });
    expect(passedHeaders(headers, ["cookie"])).to.deep.equal({ cookie: "a=1; b=2" });
  });

  it("are cookies whole, or by name", () => {
    const cookie = "session=x=y; theme=dark;session2=z ; bare";
    expect(passedHeaders({ cookie }, ["cookie:session", "cookie:bare"])).to.deep.equal({ cookie: "session=x=y; bare" });
    expect(passedHeaders({ cookie }, ["cookie:session2", "cookie"])).to.deep.equal({ cookie });
    expect(passedHeaders({ cookie }, ["cookie:other"])).to.deep.equal({});
    expect(passedHeaders({}, ["cookie:session"])).to.deep.equal({});
  });

  it("are of bounded size", () => {
    const big = "x".repeat(8193);
    expect(passedHeaders({ a: big, b: "1" }, ["a", "b"])).to.deep.equal({ b: "1" });
    const many = Object.fromEntries([1, 2, 3, 4].map((i) => [`h${i}`, "x".repeat(6000)]));
    expect(Object.keys(passedHeaders({ ...many, last: "1" }, [...Object.keys(many), "last"]))).to.deep.equal(["h1", "h2", "last"]);
  });
});

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { createTokenEndpoint, mintConnectToken, toNodeHandler } from "@bellwire/emitter";
import type { TestRelay } from "@bellwire/server/testing";
import { serverOf } from "../../server/src/cli/doctor/redis.js";
import { Bellwire, type Outcome } from "../server/bellwire.js";
import { Stage } from "../server/stage.js";
import { stablePort } from "../support/stable-port.js";
import { run, settingsOf } from "./command.js";

const KEY = `base64:${Buffer.alloc(32, 7).toString("base64")}`;

/** The line of one check; undefined where there is none. */
function line({ stdout }: Outcome, check: string): string | undefined {
  return stdout.split("\n").find((each) => each.slice(6).startsWith(`${check}  `));
}

async function listen(stage: Stage, handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(handler).listen(0, "127.0.0.1");
  await once(server, "listening");
  stage.closeLater(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("the command bellwire doctor, about a backend", function () {
  this.timeout(60_000);
  const stage = Stage.forEachTest();

  /** A backend with a token endpoint at `/realtime`, which knows whoever sends a cookie. */
  async function backend(relay: TestRelay, key: string, authenticate?: () => never): Promise<string> {
    const endpoint = createTokenEndpoint({
      key,
      url: relay.url,
      authenticate:
        authenticate ?? ((request: Request) => (request.headers.get("cookie") === "session=1" ? { site: "5", user: "ann" } : null)),
      topics: [],
      onError: () => undefined,
    } as never);
    return listen(
      stage,
      toNodeHandler(async (request) =>
        new URL(request.url).pathname === "/realtime" ? endpoint(request) : new Response("", { status: 404 }),
      ),
    );
  }

  const cookie = ["--header", "Cookie: session=1"];

  it("shows the relay the endpoint's token, and finds another APP_KEY", async () => {
    const relay = await stage.relay();
    const good = await backend(relay, relay.appKey);
    const well = await run(stage, ["doctor", "--endpoint", `${good}/realtime`, ...cookie], settingsOf(relay));
    expect(well.status, well.stdout).to.equal(0);
    expect(line(well, "endpoint")).to.match(/^ok .*with a token for site 5/);
    expect(line(well, "endpoint token")).to.match(/^ok .*takes it \(site 5, user ann\)/);
    const bad = await backend(relay, KEY);
    const ill = await run(stage, ["doctor", "--endpoint", `${bad}/realtime`, ...cookie], settingsOf(relay));
    expect(ill.status).to.equal(1);
    expect(line(ill, "subscription"), "this machine's own key is right").to.match(/^ok/);
    expect(line(ill, "endpoint token")).to.match(/^fail .*token-invalid.* -> that backend signs with another APP_KEY/);
    // And without any word of that backend: by what the relay has refused.
    const later = await run(stage, ["doctor"], settingsOf(relay));
    expect(line(later, "refusals")).to.match(/^warn .*refused a token as token-invalid.* -> .*--endpoint/);
    const token = await mintConnectToken(KEY, { site: "5", user: "ann" });
    const given = await run(stage, ["doctor", "--token", token], settingsOf(relay));
    expect(line(given, "token")).to.match(/^fail .*another APP_KEY/);
    expect(given.stdout).not.to.include(token);
  });

  it("finds an endpoint that is not there, throws, or knows nobody", async () => {
    const relay = await stage.relay();
    const url = await backend(relay, relay.appKey);
    const throwing = await backend(relay, relay.appKey, () => {
      throw new Error("the database is away");
    });
    const nobody = `http://127.0.0.1:${await stablePort()}/realtime`;
    const cases: [endpoint: string, says: RegExp][] = [
      [`${url}/nothing`, /^fail .*status 404: there is no token endpoint/],
      [`${throwing}/realtime`, /^fail .*status 500, internal: .*it throws -> see what the backend logs/],
      [`${url}/realtime`, /^warn .*status 401, token-missing.* -> add --header/],
      [nobody, /^fail .*nobody answers .*ECONNREFUSED/],
    ];
    for (const [endpoint, says] of cases) {
      const outcome = await run(stage, ["doctor", "--endpoint", endpoint], settingsOf(relay));
      expect(line(outcome, "endpoint"), outcome.stdout).to.match(says);
      expect(line(outcome, "delivery (http)"), "the rest is looked at").to.match(/^ok/);
    }
    const refused = await run(stage, ["doctor", "--endpoint", `${url}/realtime`, ...cookie, "--topic", "secret"], settingsOf(relay));
    expect(line(refused, "endpoint topic"), refused.stdout).to.match(/^fail .*secret: /);
  });

  it("blames no key where the relay's clock is wrong", async () => {
    const late = new URL("late-dates.mjs", import.meta.url).href;
    const port = await stablePort();
    const relay = new Bellwire(["serve"], {
      APP_KEY: KEY,
      REALTIME_API_KEY: "a".repeat(24),
      REALTIME_WS_PORT: String(port),
      REALTIME_WS_HOST: "127.0.0.1",
      NODE_OPTIONS: `--import=${late}`,
    });
    stage.closeLater(() => relay.stop("SIGKILL"));
    await relay.printed(/listening/i);
    const env = { APP_KEY: KEY, REALTIME_API_KEY: "a".repeat(24), REALTIME_PUBLIC_URL: `ws://127.0.0.1:${port}` };
    const outcome = await run(stage, ["doctor"], env);
    expect(outcome.status).to.equal(1);
    expect(line(outcome, "relay clock")).to.match(/^fail .*1(19|20|21) s behind this machine's -> .*NTP/);
    expect(line(outcome, "subscription")).to.match(/^fail .* -> the relay's clock is 1(19|20|21) s behind this machine's/);
    expect(line(outcome, "subscription")).not.to.include("APP_KEY");
  });

  it("goes on behind a proxy that keeps health and API inside", async () => {
    const relay = await stage.relay({ env: { REALTIME_INTERNAL_PORT: "0" } });
    // As deploy/nginx does: sockets, events and the bundle alone.
    const proxy = await proxyTo(relay.port);
    const inside = { ...settingsOf(relay), REALTIME_WS_HOST: "127.0.0.1", REALTIME_PUBLIC_URL: proxy.replace("http", "ws") };
    const there = await run(stage, ["doctor"], { ...inside, REALTIME_INTERNAL_PORT: String(relay.relay.internalPort) });
    expect(there.status, there.stdout).to.equal(0);
    for (const check of ["relay", "relay API", "subscription", "delivery (http)"]) expect(line(there, check)).to.match(/^ok/);
    const elsewhere = await run(stage, ["doctor"], inside);
    expect(elsewhere.status, elsewhere.stdout).to.equal(0);
    expect(line(elsewhere, "relay")).to.match(/^warn .*status 404.*keeps \/readyz inside/);
    expect(line(elsewhere, "relay API")).to.match(/^warn .*REALTIME_INTERNAL_PORT/);
    expect(line(elsewhere, "subscription")).to.match(/^ok/);
    expect(line(elsewhere, "delivery (http)")).to.equal(undefined);
  });

  async function proxyTo(port: number): Promise<string> {
    const { createServer: createTcp, connect } = await import("node:net");
    // By the first line only: a connection that asks for anything but Socket.IO or events gets 404.
    const server = createTcp((client) => {
      client.on("error", () => undefined);
      client.once("data", (first: Buffer) => {
        if (!/^\w+ \/(?:socket\.io\/|v1\/sites\/[^/]+\/events)/.test(first.toString("latin1"))) {
          client.end("HTTP/1.1 404 Not Found\r\nServer: nginx\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
          return;
        }
        const relay = connect(port, "127.0.0.1", () => relay.write(first));
        relay.on("error", () => client.destroy());
        relay.on("close", () => client.destroy());
        client.on("close", () => relay.destroy());
        client.pipe(relay).pipe(client);
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    stage.closeLater(() => server.close());
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
});

describe("the name of a Redis server", () => {
  it("is what its INFO says, also where it only speaks like Redis", () => {
    const cases: [info: string, name: string, known: boolean][] = [
      ["# Server\r\nredis_version:7.0.15\r\ngcc_version:12.2.0\r\n", "Redis 7.0.15", true],
      ["# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n", "Valkey 8.0.1", true],
      ["# Server\r\nredis_version:7.4.0\r\ndragonfly_version:df-v1.23.0\r\n", "Dragonfly df-v1.23.0", false],
      ["# Server\r\nserver_name:sometimes\r\n", "a server that calls itself sometimes", false],
      ["# Server\r\nuptime_in_seconds:5\r\n", "a server that does not say what it is", false],
      ["", "a server that does not say what it is", false],
      ["# Server\r\nredis_version:8.0.1\r\n# Modules\r\nsearch_version:8.0.0\r\n", "Redis 8.0.1", true],
    ];
    for (const [info, name, known] of cases) expect(serverOf(info), info).to.deep.equal({ name, known });
  });
});

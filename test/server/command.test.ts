import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { dirname } from "node:path";
import { expect } from "chai";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import { RawClient } from "../support/socket.js";
import { Bellwire, type Outcome } from "./bellwire.js";
import { request, Stage } from "./stage.js";

const KEY = `base64:${randomBytes(32).toString("base64")}`;
/** What a relay makes up and tells where it is missing. */
const keys = { APP_KEY: KEY, REALTIME_API_KEY: "an API key of a test" };

describe("the command bellwire serve", function () {
  // Each run is a process that takes half a second to start.
  this.timeout(60_000);
  const stage = Stage.forEachTest();

  function serve(env: NodeJS.ProcessEnv, cwd?: string): Bellwire {
    const bellwire = new Bellwire(["serve"], { REALTIME_WS_PORT: "0", REALTIME_WS_HOST: "127.0.0.1", ...env }, cwd);
    stage.closeLater(() => bellwire.stop("SIGKILL"));
    return bellwire;
  }

  /** Where it listens, once it does. */
  async function address(bellwire: Bellwire): Promise<string> {
    const [, port] = await bellwire.printed(/listening on port (\d+)/);
    return `127.0.0.1:${port}`;
  }

  /** It ended with status 2 and one line, about a setting. */
  function expectOneLine({ status, stdout, stderr }: Outcome, says: RegExp | string): void {
    expect(stderr, `${stdout}${stderr}`).to.match(/^bellwire: [^\n]+\n$/);
    if (typeof says === "string") expect(stderr).to.include(says);
    else expect(stderr).to.match(says);
    expect([status, stdout]).to.deep.equal([2, ""]);
  }

  it("ends with one line and status 2 for a wrong value of each variable", async () => {
    const wrong: NodeJS.ProcessEnv[] = [
      { REALTIME_ENABLED: "maybe" },
      { REALTIME_WS_PORT: "many" },
      { REALTIME_WS_PORT: "1\n2" },
      { REALTIME_WS_HOST: "192.0.2.1" },
      { REALTIME_PUBLIC_URL: "example.com" },
      { REALTIME_INTERNAL_PORT: "99999" },
      { REALTIME_API_KEY: "short" },
      { REALTIME_ALLOWED_ORIGINS: "example.com" },
      { REALTIME_CONFIG: "/no/such/file" },
      { REALTIME_LOG: "disk" },
      { APP_KEY: "short" },
      { APP_PREVIOUS_KEYS: "short" },
      { REDIS_URL: "http://127.0.0.1" },
      { REDIS_HOST: "127.0.0.1", REDIS_PORT: "0" },
      { REDIS_HOST: "127.0.0.1", REDIS_DB: "first" },
      { REDIS_HOST: "127.0.0.1", REDIS_PREFIX: "{a}" },
      { NODE_ENV: "production", APP_KEY: KEY, REALTIME_LOG: "" },
      { NODE_ENV: "production", REALTIME_LOG: "memory", APP_KEY: "" },
    ];
    // A few at a time: a machine may have two cores.
    const queue = [...wrong];
    const worker = async (): Promise<void> => {
      for (let env = queue.shift(); env !== undefined; env = queue.shift()) {
        const [variable, value] = Object.entries(env).at(-1) as [string, string];
        // Of an address only the system knows that it is wrong.
        expectOneLine(await serve({ ...keys, ...env }).outcome(), variable === "REALTIME_WS_HOST" ? value : variable);
      }
    };
    await Promise.all([worker(), worker(), worker()]);
  });

  it("ends with one line and status 2 where a port is taken", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    stage.closeLater(() => other.close());
    const port = String((other.address() as { port: number }).port);
    expectOneLine(await serve({ ...keys, REALTIME_WS_PORT: port }).outcome(), new RegExp(`port ${port} is taken.*REALTIME_WS_PORT`));
  });

  it("ends with one line and status 2 where the internal port is taken", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    stage.closeLater(() => other.close());
    const port = String((other.address() as { port: number }).port);
    expectOneLine(
      await serve({ ...keys, REALTIME_INTERNAL_PORT: port }).outcome(),
      new RegExp(`port ${port} is taken.*REALTIME_INTERNAL_PORT`),
    );
  });

  it("reads .env of the folder it runs in, and real variables win over it", async () => {
    const env = `APP_KEY="${KEY}"\nREALTIME_WS_PORT=many\nREALTIME_API_KEY='${"k".repeat(20)}' # a comment\nREDIS_PASSWORD=null\n`;
    const folder = dirname(await stage.file(".env", env));
    expectOneLine(
      await serve({ REALTIME_WS_PORT: undefined }, folder).outcome(),
      'REALTIME_WS_PORT must be a whole number from 0 to 65535, not "many"',
    );
    const bellwire = serve({ REALTIME_WS_PORT: "0" }, folder);
    const where = await address(bellwire);
    const client = new RawClient({ url: `ws://${where}`, appKey: KEY });
    stage.closeLater(() => client.close());
    await client.hello;
    await client.subscribe({ id: "1", topic: "news" });
    const headers = { authorization: `Bearer ${"k".repeat(20)}`, "content-type": "application/json" };
    const published = await request(`http://${where}/v1/sites/5/publish`, {
      method: "POST",
      headers,
      body: '{"topic":"news","data":{"id":1}}',
    });
    expect(published.status, published.text).to.equal(200);
    await client.until(() => client.messages("news").length === 1);
    expect(bellwire.stdout).not.to.include("APP_KEY");
  });

  it("says in JSON lines, where nobody looks on, where it listens and what it made up; and ends well when it is told to", async () => {
    const bellwire = serve({});
    const where = await address(bellwire);
    const printed = /for this run it is ([\w-]+)"/.exec(bellwire.stdout)?.[1];
    const headers = { authorization: `Bearer ${printed}`, "content-type": "application/json" };
    expect((await request(`http://${where}/v1/sites/5/publish`, { method: "POST", headers, body: '{"topic":"news"}' })).status).to.equal(
      200,
    );
    const { status, stdout, stderr } = await bellwire.stop();
    expect([status, stderr]).to.deep.equal([0, ""]);
    const entries = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const entry of entries) expect(entry.name).to.equal("realtime");
    expect(entries.map(({ msg }) => String(msg).replace(/\d+$/, "N"))).to.include("WebSocket server listening on port N");
    expect(stdout).to.match(/APP_KEY is not set: a random one is in use/);
  });

  it("runs in production in memory where that was asked for, with the API closed for want of a key", async () => {
    const env = { NODE_ENV: "production", APP_KEY: KEY, REALTIME_LOG: "memory", REALTIME_PUBLIC_URL: "wss://example.com" };
    const bellwire = serve(env);
    const where = await address(bellwire);
    expect(bellwire.stdout).to.match(/the HTTP API under \/v1 is closed/);
    const answer = await request(`http://${where}/v1/sites/5/publish`, { method: "POST", headers: { authorization: "Bearer x" } });
    expect(answer.status).to.equal(403);
  });

  it("serves health alone where realtime is switched off", async () => {
    const where = await address(serve({ REALTIME_ENABLED: "false", REDIS_HOST: "127.0.0.1", REDIS_PORT: "1" }));
    expect((await request(`http://${where}/healthz`)).status).to.equal(200);
    expect((await request(`http://${where}/readyz`)).status).to.equal(200);
  });

  it("says to which Redis it is connected, never with the password", async function () {
    requires("redis-server", this);
    const redis = await TestRedis.start(["--requirepass", "hunter2"]);
    stage.closeLater(() => redis.stop());
    const bellwire = serve({ REDIS_URL: `redis://:hunter2@127.0.0.1:${redis.port}/2` });
    await bellwire.printed(new RegExp(`Connected to Redis at 127.0.0.1:${redis.port}"`));
    const where = await address(bellwire);
    expect(await request(`http://${where}/readyz`)).to.have.nested.property("body.status", "ready");
    const { stdout, stderr } = await bellwire.stop();
    expect(stdout + stderr).not.to.include("hunter2");
  });
});

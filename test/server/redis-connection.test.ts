import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { createTestRelay, type TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import { stablePort } from "../support/stable-port.js";
import { eventually, post } from "./stage.js";

// Made for these tests alone, for localhost; of no value anywhere else.
const CERT = fileURLToPath(new URL("../support/tls/cert.pem", import.meta.url));
const KEY = fileURLToPath(new URL("../support/tls/key.pem", import.meta.url));

describe("a relay's connection to Redis", function () {
  this.timeout(30_000);
  let redis: TestRedis | undefined;
  let relay: TestRelay | undefined;
  let dir: string;

  before(async function () {
    requires("redis-server", this);
    dir = await mkdtemp(join(tmpdir(), "bellwire-redis-"));
  });
  after(() => rm(dir, { recursive: true, force: true }));
  afterEach(async () => {
    await relay?.close();
    await redis?.stop();
    relay = redis = undefined;
  });

  async function start(args: readonly string[], env: (redis: TestRedis) => Record<string, string>, file?: string): Promise<TestRelay> {
    redis = await TestRedis.start(args);
    const path = join(dir, "bellwire.yaml");
    if (file !== undefined) await writeFile(path, file);
    relay = await createTestRelay({ env: { ...env(redis), ...(file === undefined ? {} : { REALTIME_CONFIG: path }) } });
    return relay;
  }

  async function works(made: TestRelay): Promise<void> {
    await eventually(() => made.relay.log.status.up, "Redis is up", 10_000);
    expect((await post(made, "5", { topic: "T", data: {} })).status).to.equal(200);
  }

  it("takes user and password from the variables, and a database and prefix with them", async () => {
    const args = ["--user", "bell", "on", ">secret", "~bells:*", "&bells:*", "+@all"];
    const env = ({ port }: TestRedis): Record<string, string> => ({
      REDIS_HOST: "127.0.0.1",
      REDIS_PORT: String(port),
      REDIS_USERNAME: "bell",
      REDIS_PASSWORD: "secret",
      REDIS_DB: "3",
      REDIS_PREFIX: "bells:",
    });
    const made = await start(args, env);
    await works(made);
    const raw = (redis as TestRedis).client();
    await raw.select(3);
    expect(await raw.exists("bells:3:{5:T}")).to.equal(1);
    raw.disconnect();
  });

  it("is degraded with a wrong password, says so, and goes on trying", async () => {
    const made = await start(["--requirepass", "right"], ({ url }) => ({ REDIS_URL: url.replace("//", "//:wrong@") }));
    expect(made.relay.readiness()).to.include({ ready: false, status: "starting", store: "down" });
    const refused = await post(made, "5", { topic: "T", data: {} });
    expect(refused.status).to.equal(503);
    expect(JSON.stringify(refused.body), "what is nobody else's business").not.to.match(/127\.0\.0\.1|WRONGPASS|NOAUTH/);
  });

  it("is made over TLS, with one's own certificates from the file", async () => {
    const port = await stablePort();
    const tls = [
      "--tls-port",
      String(port),
      "--tls-cert-file",
      CERT,
      "--tls-key-file",
      KEY,
      "--tls-ca-cert-file",
      CERT,
      "--tls-auth-clients",
      "yes",
    ];
    const file = JSON.stringify({ redis: { host: "localhost", port, tls: { ca: CERT, cert: CERT, key: KEY } } });
    await works(await start(tls, () => ({}), file));
  });
});

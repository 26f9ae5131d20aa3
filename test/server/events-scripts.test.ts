import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { createTestRelay, type TestRelay } from "@bellwire/server/testing";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";
import { stablePort } from "../support/stable-port.js";
import { now, subscribeToken } from "../support/tokens.js";
import { eventually, publish, Stage } from "./stage.js";

const APP_KEY = "k".repeat(40);
const TOPIC = "Contact_Updated_Topic";

/** The page's own code, so that it is what works. */
async function fromPage(language: string): Promise<string> {
  const page = await readFile(new URL("../../docs/http-api.md", import.meta.url), "utf8");
  const code = new RegExp(`\`\`\`${language}\n([^]*?)\n\`\`\``).exec(page)?.[1];
  if (code === undefined) throw new Error(`The page has no ${language}`);
  return code;
}

describe("the scripts of the page about events", function () {
  this.timeout(30_000);
  const stage = Stage.forEachTest();

  function lines(child: ChildProcess): () => string[] {
    let printed = "";
    child.stdout?.on("data", (data: Buffer) => (printed += data.toString()));
    stage.closeLater(() => child.kill("SIGKILL"));
    return () => printed.split("\n");
  }

  const token = (): string => subscribeToken(APP_KEY, { topic: TOPIC, exp: now() + 600 });

  it("curl shows each event at once", async function () {
    requires("curl", this);
    const relay = await stage.relay({ env: { APP_KEY } });
    const child = spawn("sh", ["-c", `exec ${await fromPage("sh")}`], {
      env: { PATH: process.env.PATH, RELAY: relay.httpUrl, TOKEN: token() },
      stdio: ["ignore", "pipe", "ignore"],
    });
    const shown = lines(child);
    await eventually(() => shown().includes("event: hello"), "hello", 10_000);
    for (const id of [5, 6, 5]) await publish(relay, TOPIC, { id });
    await eventually(() => shown().filter((line) => line === "event: message").length === 2, "both messages");
    expect(shown().filter((line) => line.startsWith("data:") && line.includes('"id":6'))).to.deep.equal([]);
  });

  it("twenty lines of PHP go on after their relay was away, with what they missed and nothing twice", async function () {
    const php = requires("php", this);
    requires("redis-server", this);
    const redis = await TestRedis.start();
    stage.closeLater(() => redis.stop());
    const port = await stablePort();
    const env = { APP_KEY, REDIS_URL: redis.url, REALTIME_WS_PORT: String(port), REALTIME_API_KEY: "a".repeat(24) };
    const start = async (): Promise<TestRelay> => {
      const relay = await createTestRelay({ env });
      await eventually(() => relay.relay.log.status.up, "it is up");
      return relay;
    };
    const folder = await mkdtemp(join(tmpdir(), "bellwire-php-"));
    stage.closeLater(() => rm(folder, { recursive: true, force: true }));
    const script = await fromPage("php");
    expect(script.split("\n")).to.have.length.at.most(20);
    await writeFile(join(folder, "listen.php"), script);
    execFileSync(php, ["-l", join(folder, "listen.php")], { stdio: "ignore" });
    let relay = await start();
    stage.closeLater(() => relay.close());
    const child = spawn(php, [join(folder, "listen.php")], {
      env: { PATH: process.env.PATH, RELAY: relay.httpUrl, MINT: `echo ${token()}` },
      stdio: ["ignore", "pipe", "ignore"],
    });
    const printed = lines(child);
    const heard = (): number[] =>
      printed()
        .filter((line) => line.startsWith("message "))
        .map((line) => (JSON.parse(line.slice(8)) as { offset: number }).offset);
    await eventually(() => printed().some((line) => line.startsWith("hello ")), "hello", 10_000);
    await publish(relay, TOPIC, { id: 5 });
    await eventually(() => heard().length === 1, "a message");
    await relay.close();
    relay = await start();
    await publish(relay, TOPIC, { id: 5 });
    await publish(relay, TOPIC, { id: 6 });
    await publish(relay, TOPIC, { id: 5 });
    await eventually(() => heard().length === 3, "what it missed", 15_000);
    expect(heard()).to.deep.equal([1, 2, 4]);
    expect(printed().filter((line) => line.startsWith("resync "))).to.deep.equal([]);
  });
});

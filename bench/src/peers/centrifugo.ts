import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../measure/clock.js";
import { freePort } from "../redis.js";
import { API_KEY, type Peer, type Relay, type StartOptions } from "./peer.js";

const MODULE = "github.com/centrifugal/centrifugo/v6@latest";
const CACHE = join(homedir(), ".cache", "bellwire-bench");
const BINARY = join(CACHE, "centrifugo");
const BUILD_MS = 15 * 60_000;

export const centrifugo: Peer = {
  name: "centrifugo",
  title: "Centrifugo",
  dialect: "centrifugo",
  sender: "centrifugo",
  settings:
    "Centrifugo with the Redis engine, JSON protocol, no history; a second node takes the HTTP API, so that publishing is not on the relay",
  unavailable: build,
  start: (options) => startNode(options),
  startApi: (options) => startNode(options),
};

/** The binary that CENTRIFUGO names, or one built once by Go into a cache of its own. Gives a reason where there is none. */
async function build(): Promise<string | undefined> {
  if (process.env.CENTRIFUGO !== undefined) {
    return existsSync(process.env.CENTRIFUGO) ? undefined : `CENTRIFUGO names ${process.env.CENTRIFUGO}, which does not exist`;
  }
  if (existsSync(BINARY)) return undefined;
  const go = ["go", "/usr/local/go/bin/go"].find((program) => spawnSync(program, ["version"]).status === 0);
  if (go === undefined) return "there is no Go to build it with";
  console.log("Building Centrifugo, once; it takes some minutes");
  await mkdir(CACHE, { recursive: true });
  const child = spawn(go, ["install", MODULE], {
    env: { ...process.env, GOBIN: CACHE },
    stdio: ["ignore", "ignore", "pipe"],
    timeout: BUILD_MS,
  });
  let printed = "";
  child.stderr.on("data", (data: Buffer) => {
    printed += data.toString();
  });
  const [status] = (await once(child, "exit")) as [number | null];
  return status === 0 ? undefined : `go install failed: ${printed.trim().split("\n").at(-1) ?? "no reason given"}`;
}

async function startNode({ redis }: StartOptions): Promise<Relay> {
  const port = await freePort();
  const dir = await mkdtemp(join(tmpdir(), "bellwire-bench-centrifugo-"));
  const file = join(dir, "config.json");
  const config = {
    http_server: { address: "127.0.0.1", port: String(port) },
    log: { level: "error" },
    client: { insecure: true, allowed_origins: ["*"], channel_limit: 100_000 },
    http_api: { key: API_KEY },
    engine: { type: "redis", redis: { address: redis } },
    health: { enabled: true },
  };
  await writeFile(file, JSON.stringify(config));
  const child = spawn(process.env.CENTRIFUGO ?? BINARY, ["-c", file], { stdio: ["ignore", "ignore", "inherit"] });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill(signal);
      await ended;
    }
    await rm(dir, { recursive: true, force: true });
  };
  const healthy = (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${port}/health`).then(
      (answer) => answer.ok,
      () => false,
    );
  await until(healthy, 10_000, "Centrifugo did not become healthy");
  return { pid: child.pid as number, port, worker: undefined, kill: () => end("SIGKILL"), stop: () => end("SIGTERM") };
}

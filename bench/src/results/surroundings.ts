import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, release, totalmem, type } from "node:os";
import { dirname, join } from "node:path";
import { redisProgram } from "../redis.js";

/** What a result has to be read beside. */
export interface Surroundings {
  readonly date: string;
  readonly commit: string;
  readonly machine: string;
  readonly versions: string;
  readonly rounds: number;
}

const packages = ["socket.io", "@socket.io/redis-adapter", "@socket.io/redis-emitter", "ws", "ioredis"];

export function surroundings(rounds: number): Surroundings {
  const cores = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    machine: `${cores.length} x ${cores[0]?.model.trim() ?? "unknown CPU"}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}`,
    versions: [
      `Node ${process.versions.node}`,
      `Redis ${redisProgram().version}`,
      ...packages.map((name) => `${name} ${versionOf(name)}`),
    ].join(", "),
    rounds,
  };
}

function commit(): string {
  const git = (...args: string[]): string => spawnSync("git", args, { encoding: "utf8" }).stdout?.trim() ?? "";
  const hash = git("rev-parse", "--short", "HEAD");
  if (hash === "") return "unknown";
  return git("status", "--porcelain", "--", "../server", "../emitter", "../protocol", ".") === "" ? hash : `${hash} with changes`;
}

function versionOf(name: string): string {
  const require = createRequire(import.meta.url);
  // Not every package exports its package.json: walk up from what it does export.
  for (let dir = dirname(require.resolve(name)); dir !== dirname(dir); dir = dirname(dir)) {
    try {
      const manifest = JSON.parse(readFileSync(join(dir, "package.json"), "utf8")) as { name?: string; version?: string };
      if (manifest.name === name && manifest.version !== undefined) return manifest.version;
    } catch {
      // Further up.
    }
  }
  return "unknown";
}

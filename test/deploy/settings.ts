import { expect } from "chai";
import { readConfig, type Config } from "@bellwire/server";
import { filesOf, read } from "../house/tree.js";

/** Every variable that a relay reads, by its source. */
function known(): Set<string> {
  const names = filesOf("server/src/config", /\.ts$/).flatMap((file) =>
    [...read(file).matchAll(/"((?:REALTIME|REDIS|APP)_[A-Z_]+)"|env\.([A-Z_]+)/g)].map((match) => match[1] ?? (match[2] as string)),
  );
  return new Set(names);
}

/** Reads an environment as a relay would that is deployed with it; no name in it may be one that relays don't know. */
export function accepted(env: Readonly<Record<string, string>>): Config {
  const names = known();
  expect(names).to.include.members(["APP_KEY", "REALTIME_WS_PORT", "REDIS_URL", "NODE_ENV"]);
  for (const name of Object.keys(env)) expect([...names], "a variable that relays read").to.include(name);
  return readConfig(env);
}

/** The variables of a file such as `.env.example`. */
export function envFile(path: string): Record<string, string> {
  const lines = read(path)
    .split("\n")
    .filter((line) => /^[A-Z_]+=/.test(line));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}

/** What people fill in by hand. */
export const secrets = { APP_KEY: `base64:${Buffer.alloc(32, 7).toString("base64")}`, REALTIME_API_KEY: "0123456789abcdef" };

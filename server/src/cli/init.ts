import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { chmod, copyFile, readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Failure, UsageError } from "./failure.js";
import { print } from "./output.js";

const FILE = ".env";
/** A name that frameworks keep out of version control. */
const BACKUP = ".env.backup";
const MOST_BACKUPS = 100;

/** Writes a `.env` with random keys into the working directory. @throws UsageError where one is there already */
export async function init({ force = false }: { force?: boolean }): Promise<void> {
  const path = resolve(FILE);
  const kept = force ? await keep() : undefined;
  try {
    // Whoever reads it can sign in as anybody.
    // The mode below is for a new file: one that was there keeps its own, and would hold the keys for all to read.
    if (kept !== undefined) await chmod(path, 0o600);
    await writeFile(path, content(), { mode: 0o600, flag: force ? "w" : "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") {
      throw new UsageError(`${path} is there already and stays as it is; --force replaces it, and keeps it as ${BACKUP}`);
    }
    throw new Failure(`${path} can't be written: ${(error as Error).message}`);
  }
  print(`Wrote ${path} with a random APP_KEY and REALTIME_API_KEY.`);
  if (kept !== undefined) print(`What was there before is now in ${resolve(kept)}.`);
  if (!(await isIgnored())) print(`Add ${FILE} to .gitignore: its keys belong in no repository.`);
  print("Next:");
  print("  bellwire serve                 run a relay");
  print("  bellwire doctor                see whether all is well");
  print("  bellwire subscribe demo news   and in another terminal: bellwire publish demo news '{\"id\":1}'");
}

/** Keys may be in it that other data can't be read without: nothing is thrown away. @returns the copy's name, where there was a file */
async function keep(): Promise<string | undefined> {
  for (let i = 1; i <= MOST_BACKUPS; i++) {
    const name = i === 1 ? BACKUP : `${BACKUP}.${i}`;
    try {
      await copyFile(FILE, name, constants.COPYFILE_EXCL);
      await chmod(name, 0o600);
      return name;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return undefined;
      if (code !== "EEXIST") throw new Failure(`${FILE} can't be kept as ${name}: ${message}`);
    }
  }
  throw new UsageError(`There are ${MOST_BACKUPS} copies such as ${resolve(BACKUP)} already: move them away first`);
}

async function isIgnored(): Promise<boolean> {
  const rules = await readFile(".gitignore", "utf8").catch(() => "");
  return rules.split(/\r?\n/).some((rule) => /^\/?(\*\*\/)?\.env(\*|\.\*)?$/.test(rule.trim()));
}

function content(): string {
  return `# Bellwire's settings. Keep this file to yourself: whoever has the keys can sign tokens and publish.

# What the backend signs tokens with, and the relay checks them with.
APP_KEY=base64:${randomBytes(32).toString("base64")}

# The Bearer key of the relay's HTTP API.
REALTIME_API_KEY=${randomBytes(24).toString("base64url")}

# Where the relay listens, and what browsers connect to.
# REALTIME_WS_PORT=6200
# REALTIME_PUBLIC_URL=wss://example.com/ws

# Without Redis a relay remembers messages in its own memory, and there can be only one.
# REDIS_URL=redis://127.0.0.1:6379/0

# Pages that may connect, beside those of REALTIME_PUBLIC_URL's own origin.
# REALTIME_ALLOWED_ORIGINS=https://example.com
`;
}

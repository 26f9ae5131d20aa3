import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { Failure, UsageError } from "./failure.js";
import { HOOK_EVENTS, renderHook, type HookEvent } from "./hook-template.js";
import { say } from "./output.js";

interface Language {
  readonly extension: string;
  /** How a file is run. */
  readonly run: (file: string) => string;
}

const LANGUAGES: Readonly<Record<string, Language>> = {
  php: { extension: "php", run: (file) => `php -S 127.0.0.1:8080 ${file}` },
  ruby: { extension: "rb", run: (file) => `ruby ${file}` },
  python: { extension: "py", run: (file) => `python3 ${file}` },
  go: { extension: "go", run: (file) => `go run ${file}` },
  node: { extension: "mjs", run: (file) => `node ${file}` },
};

/** Writes a backend's answer to one event, to a file or to standard output, and says how to run it. Rejects with UsageError or Failure. */
export async function newHook(eventText: string, { lang, out }: { lang: string; out?: string }): Promise<void> {
  const event = HOOK_EVENTS.find((one) => one === eventText);
  if (event === undefined) throw new UsageError(`"${eventText}" is no hook: there are ${HOOK_EVENTS.join(", ")}`);
  const language = Object.hasOwn(LANGUAGES, lang) ? LANGUAGES[lang] : undefined;
  if (language === undefined)
    throw new UsageError(`There is no starting point in "${lang}": there are ${Object.keys(LANGUAGES).join(", ")}`);
  const { extension, run } = language;
  const file = out === undefined ? `${event}.${extension}` : basename(out);
  const text = renderHook(await readFile(new URL(`../../templates/hook.${extension}`, import.meta.url), "utf8"), event, file);
  if (out === undefined) process.stdout.write(text);
  else await write(out, text);
  say(nextSteps(event, run(out ?? file)));
}

/** Somebody's work may be in a file that is there. */
async function write(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw new UsageError(`${resolve(path)} is there already and stays as it is`);
    throw new Failure(`${resolve(path)} can't be written: ${(error as Error).message}`);
  }
  say(`Wrote ${resolve(path)}.`);
}

function nextSteps(event: HookEvent, run: string): string {
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  const events = event === "notices" ? ", events: [connected, disconnected]" : "";
  return `Next, in the file that the relay's REALTIME_CONFIG names (with the secret that it has, if it has one):
  hooks:
    secret: ${secret}${event === "connect" ? "\n    headers: [cookie]" : ""}
    ${event}: { url: "http://127.0.0.1:8080/"${events} }
and run
  HOOK_SECRET=${secret} ${run}`;
}

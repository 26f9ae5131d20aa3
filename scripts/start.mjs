// `npm start`: from a fresh clone to a relay and a demo that two browsers can talk through.
import "./node-version.mjs";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { install } from "./install.mjs";
import { endAll, endTree, npm, root, start } from "./run.mjs";

/** How long children may take to end before they are killed. */
const GRACE_MS = 10_000;
/** How long the relay and the demo may take to answer. */
const READY_MS = 30_000;

let ending = false;
let failed = false;
const children = [];

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => stop());

if ((await install()) !== 0) giveUp("npm ci failed, see above");
// The compiler only builds what has changed.
if ((await npm(["run", "--silent", "build"])) !== 0) giveUp("The build failed, see above");

const settings = settingsOf(process.env);
const hooks = hooksOf(settings);
children.push(
  launch("relay", ["server/bin/bellwire.js", "serve"], hooks.relay),
  launch("demo", ["examples/contacts/dist/main.js"], { PORT: settings.demoPort, CONTACTS_AUTH: settings.demoAuth, ...hooks.demo }),
);

const ready = (await answers(`${settings.relayUrl}/readyz`)) && (await answers(`${settings.demoUrl}/`));
if (ready && !ending) console.log(welcome());
else if (!ending) {
  console.error(`The relay or the demo did not answer within ${READY_MS / 1000} s`);
  stop(true);
}

/** What the relay and the demo must agree on, made up where neither the environment nor `.env` says it. */
function settingsOf(environment) {
  const require = createRequire(join(root, "server/package.json"));
  const file = { ...require("dotenv").parse(readIfThere(".env")) };
  const value = (name) => {
    const text = environment[name] ?? file[name];
    return text === "" || text === "null" ? undefined : text;
  };
  const port = value("REALTIME_WS_PORT") ?? "6200";
  const demoPort = value("PORT") ?? "6201";
  const relayUrl = `http://localhost:${port}`;
  return {
    demoPort,
    demoAuth: value("CONTACTS_AUTH") ?? "tokens",
    hookSecret: value("CONTACTS_HOOK_SECRET"),
    configFile: value("REALTIME_CONFIG"),
    relayUrl,
    demoUrl: `http://localhost:${demoPort}`,
    apiUrl: `http://localhost:${value("REALTIME_INTERNAL_PORT") ?? port}`,
    publicUrl: value("REALTIME_PUBLIC_URL") ?? relayUrl,
    appKey: value("APP_KEY") ?? `base64:${randomBytes(32).toString("base64")}`,
    apiKey: value("REALTIME_API_KEY") ?? randomBytes(16).toString("hex"),
    madeUp: ["APP_KEY", "REALTIME_API_KEY"].filter((name) => value(name) === undefined),
    port,
  };
}

/** With CONTACTS_AUTH=hooks the relay asks the demo instead of reading tokens: a file for the one, the secret for both. */
function hooksOf({ demoAuth, demoUrl, configFile, hookSecret }) {
  if (demoAuth !== "hooks") return {};
  if (configFile !== undefined) {
    if (hookSecret === undefined) giveUp("REALTIME_CONFIG names a file of your own: put its hooks.secret into CONTACTS_HOOK_SECRET");
    return { demo: { CONTACTS_HOOK_SECRET: hookSecret } };
  }
  const secret = hookSecret ?? `whsec_${randomBytes(32).toString("base64")}`;
  const hook = { url: `${demoUrl}/hooks` };
  const folder = mkdtempSync(join(tmpdir(), "bellwire-start-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "bellwire.json");
  writeFileSync(file, JSON.stringify({ hooks: { secret, headers: ["cookie"], connect: hook, subscribe: hook } }), { mode: 0o600 });
  return { relay: { REALTIME_CONFIG: file }, demo: { CONTACTS_HOOK_SECRET: secret } };
}

function readIfThere(path) {
  try {
    return readFileSync(join(root, path));
  } catch (error) {
    if (error.code === "ENOENT") return "";
    throw error;
  }
}

function launch(name, args, more = {}) {
  const env = {
    ...process.env,
    REALTIME_WS_PORT: settings.port,
    REALTIME_PUBLIC_URL: settings.publicUrl,
    RELAY_HTTP_URL: settings.apiUrl,
    APP_KEY: settings.appKey,
    REALTIME_API_KEY: settings.apiKey,
    ...more,
  };
  // They share our terminal, and say so in sentences; their lines begin with their names anyway.
  const child = start(process.execPath, args, { env, stdio: ["ignore", "inherit", "inherit"] });
  child.once("error", (error) => console.error(`[${name}] can't be started: ${error.message}`));
  child.once("close", (code, signal) => {
    children.splice(children.indexOf(child), 1);
    if (!ending) {
      console.error(`The ${name} ended by itself (${signal ?? `exit code ${code}`}): stopping`);
      stop(true);
    }
    if (children.length === 0) process.exit(failed ? 1 : 0);
  });
  return child;
}

async function answers(url) {
  for (const end = Date.now() + READY_MS; Date.now() < end && !ending;) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}

function welcome() {
  const { demoUrl, apiUrl, apiKey, appKey, madeUp } = settings;
  const keys = { APP_KEY: appKey, REALTIME_API_KEY: apiKey };
  const lines = madeUp.map((name) => `  ${name}=${keys[name]}\n`).join("");
  const publish = `${apiUrl}/v1/sites/acme/publish`;
  // Quotes as both a Unix shell and cmd.exe read them.
  const body = JSON.stringify(JSON.stringify({ topic: "Contact_Updated_Topic", data: { id: 1, updated_by: "curl" } }));
  return `
Bellwire runs. Open these two side by side, edit a contact in one and watch the other:
  ${demoUrl}/?as=ann
  ${demoUrl}/?as=ben

Or ring the bell yourself:
  curl -X POST ${publish} -H "Authorization: Bearer ${apiKey}" -H "Content-Type: application/json" -d ${body}

${lines === "" ? "" : `Made up for this run; put them into .env to keep them:\n${lines}\n`}Ctrl-C stops both.
`;
}

function stop(failure = false) {
  // npm passes on a Ctrl-C that the terminal has sent already: the second one says nothing new.
  if (ending) return;
  ending = true;
  failed = failure;
  // As Ctrl-C does: at once, where SIGTERM would have the relay drain first.
  endAll("SIGINT");
  if (children.length === 0) process.exit(failed ? 1 : 0);
  setTimeout(() => {
    for (const child of children) endTree(child, "SIGKILL");
  }, GRACE_MS).unref();
}

function giveUp(message) {
  if (!ending) console.error(message);
  process.exit(ending ? 0 : 1);
}

import { asObject, parseWireError, type JsonObject, type WireError } from "@bellwire/protocol";
import { within } from "@bellwire/emitter/time";
import { Failure, isAboutClocks } from "../failure.js";
import { reasonOf } from "../relay-answers.js";
import { shownAddress } from "../settings.js";
import { Stream } from "../stream.js";
import { fail, ok, warn, type Finding } from "./finding.js";
import { clockWords } from "./relay.js";

const ANSWER_MS = 10_000;
const SHOWN = 100;

/** Where a backend's tokens come from. */
export interface TokenSource {
  /** A backend's token endpoint, asked as a page asks it. */
  readonly endpoint?: string | undefined;
  /** Headers of that request, `name: value`, e.g. the cookie of somebody signed in. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** A topic to ask the endpoint for, too. */
  readonly topic?: string | undefined;
  /** Instead: a connection token, e.g. copied from a browser. */
  readonly token?: string | undefined;
}

/** Shows the relay a token that a backend has signed: with settings of its own, of which this machine knows nothing. */
export async function* checkTokens(relay: URL, source: TokenSource): AsyncGenerator<Finding> {
  const { endpoint, token } = source;
  if (token !== undefined) yield await checkToken(relay, "token", token, undefined);
  if (endpoint === undefined) return;
  const asked = Date.now() / 1000;
  let answer: { status: number; body: JsonObject };
  try {
    answer = await askEndpoint(endpoint, source);
  } catch (error) {
    return yield fail("endpoint", `nobody answers at ${endpoint} (${reasonOf(error)})`, "start the backend, or correct the URL");
  }
  const finding = findingOf(endpoint, answer);
  yield finding;
  if (finding.level !== "ok") return;
  yield* checkTopic(source.topic, answer.body);
  yield await checkToken(relay, "endpoint token", answer.body.token as string, asked);
}

async function askEndpoint(endpoint: string, { headers, topic }: TokenSource): Promise<{ status: number; body: JsonObject }> {
  const response = await fetch(endpoint, {
    method: "POST",
    headers: [["content-type", "application/json"], ...headers.map(([name, value]): [string, string] => [name, value])],
    body: JSON.stringify(topic === undefined ? {} : { subscriptions: [{ topic, filter: {} }] }),
    redirect: "manual",
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  return { status: response.status, body: asObject(await response.json().catch(() => undefined)) ?? {} };
}

function findingOf(endpoint: string, { status, body }: { status: number; body: JsonObject }): Finding {
  const said = asObject(body.error) === undefined ? "" : `, ${wordsOf(parseWireError(body.error))}`;
  const what = `${endpoint} answers with status ${status}${said}`;
  if (status === 404) return fail("endpoint", `${what}: there is no token endpoint`, "route it there, or correct the URL");
  if (status === 401 || status === 403)
    return warn("endpoint", `${what}: it knows nobody by this request`, "add --header 'Cookie: ...' of somebody who is signed in");
  if (status >= 500) return fail("endpoint", `${what}: it throws`, "see what the backend logs");
  if (status !== 200) return fail("endpoint", what, "it has to take POST {} as application/json, and answer 200");
  if (body.enabled === false)
    return warn("endpoint", `${endpoint} says that realtime is switched off`, "REALTIME_ENABLED=true, if that is not meant");
  if (typeof body.token === "string") return ok("endpoint", `${endpoint} answers with a token for site ${String(body.site)}`);
  return fail("endpoint", `${what}, and without a token`, "it has to answer {enabled, url, site, token}, as docs/tokens.md says");
}

function* checkTopic(topic: string | undefined, { results }: JsonObject): Generator<Finding> {
  if (topic === undefined) return;
  const error = Array.isArray(results) ? asObject(results[0])?.error : undefined;
  if (Array.isArray(results) && error === undefined) yield ok("endpoint topic", `${topic} is granted`);
  else yield fail("endpoint topic", `${topic}: ${wordsOf(parseWireError(error))}`, "see the topic's rule in the backend, and what it logs");
}

/** @param asked epoch seconds at which it was signed; undefined: at some time before */
async function checkToken(relay: URL, check: string, token: string, asked: number | undefined): Promise<Finding> {
  const claims = claimsOf(token);
  if (typeof claims?.site !== "string") return fail(check, "is no token: it has no payload that names a site", "give a connection token");
  const whom = `site ${claims.site.slice(0, SHOWN)}, ${claims.sub === undefined ? "nobody" : `user ${String(claims.sub).slice(0, SHOWN)}`}`;
  const refusal = await connectWith(relay, claims.site, token);
  if (refusal === undefined) return ok(check, `${shownAddress(relay)} takes it (${whom})`);
  const says = `${shownAddress(relay)} refuses it (${whom}): ${wordsOf(refusal)}`;
  if (isAboutClocks(refusal)) return fail(check, says, clockRemedy(claims, asked));
  if (refusal.code === "token-invalid")
    return fail(check, says, "that backend signs with another APP_KEY than the relay has: give both the same");
  return fail(check, says, refusal.retry === "later" ? "see what the relay logs" : "see what the backend signs");
}

function clockRemedy({ iat }: JsonObject, asked: number | undefined): string {
  if (asked === undefined) return "take one that is younger than a minute, and compare the clocks of backend and relay";
  const ahead = typeof iat === "number" ? iat - asked : 0;
  if (Math.abs(ahead) < 2) return "the backend's clock is that of this machine, and the relay's is not: keep all by NTP";
  return `the backend's clock is ${clockWords(ahead)} this machine's: keep all by NTP`;
}

function claimsOf(token: string): JsonObject | undefined {
  try {
    return asObject(JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8")));
  } catch {
    return undefined;
  }
}

/** Opens a stream of events and closes it again. @returns why it was refused, undefined where it was not */
async function connectWith(url: URL, site: string, token: string): Promise<WireError | undefined> {
  const stream = new Stream({ url, site, subscribe: [], mint: async () => token });
  try {
    await within(stream.ready, ANSWER_MS, "Connecting");
    return undefined;
  } catch (error) {
    if (error instanceof Failure && error.refusal !== undefined) return error.refusal;
    return parseWireError({ code: "unavailable", message: (error as Error).message });
  } finally {
    stream.close();
  }
}

function wordsOf({ code, message }: WireError): string {
  return `${code}: ${message}`;
}

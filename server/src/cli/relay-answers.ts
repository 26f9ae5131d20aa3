import { asObject, parseWireError, type JsonObject } from "@bellwire/protocol";
import { Failure } from "./failure.js";
import { httpAddress, type Settings } from "./settings.js";

const ANSWER_MS = 5000;

export interface Answer {
  readonly status: number;
  /** `{}` where the answer was no JSON object. */
  readonly body: JsonObject;
  readonly text: string;
  /** Seconds by which the clock of whoever answered is ahead of this machine's, to a second or two; undefined where it does not say. */
  readonly ahead: number | undefined;
}

/** What a relay says of itself. */
export interface Readiness {
  /** Who answered. */
  readonly url: URL;
  readonly answer: Answer;
  /** False where somebody answers, e.g. a proxy that keeps health to itself, and not as a relay does. */
  readonly known: boolean;
}

/**
 * Asks a relay how it is, on its internal port where it has one: proxies keep `/readyz` inside. Rejects with a Failure where
 * nobody answers anywhere.
 */
export async function askReadiness({ url, apiUrl }: Pick<Settings, "url" | "apiUrl">): Promise<Readiness> {
  let other: Readiness | undefined;
  let failure: unknown;
  for (const each of new Set([apiUrl, url])) {
    try {
      const answer = await ask(each, "/readyz");
      const known = typeof answer.body.status === "string";
      if (known) return { url: each, answer, known };
      other = { url: each, answer, known };
    } catch (error) {
      failure ??= error;
    }
  }
  if (other === undefined) throw failure;
  return other;
}

/** Asks a relay over HTTP. Rejects with a Failure where nobody answers. @param path such as `/readyz` */
export async function ask(url: URL, path: string, apiKey?: string): Promise<Answer> {
  const address = httpAddress(url, path);
  const headers = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  try {
    const response = await fetch(address, { headers, redirect: "manual", signal: AbortSignal.timeout(ANSWER_MS) });
    const date = Date.parse(response.headers.get("date") ?? "");
    const ahead = Number.isNaN(date) ? undefined : (date - Date.now()) / 1000;
    const text = await response.text();
    return { status: response.status, body: asObject(jsonOf(text)) ?? {}, text, ahead };
  } catch (error) {
    throw new Failure(
      `No relay answers at ${httpAddress(url)} (${reasonOf(error)}): start one with bellwire serve, or set REALTIME_PUBLIC_URL`,
    );
  }
}

/** undefined for an error page; the status says enough. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Why an answer is a refusal, as `code: message`. */
export function refusalOf({ status, body }: Answer): string {
  if (asObject(body.error) === undefined) return `status ${status}`;
  const { code, message } = parseWireError(body.error);
  return `${code}: ${message}`;
}

/** Why fetch failed: it says "fetch failed" and keeps the reason in `cause`. */
export function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  if (!(cause instanceof Error)) return message;
  return (cause as NodeJS.ErrnoException).code ?? cause.message;
}

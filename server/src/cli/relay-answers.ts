import { asObject, parseWireError, type JsonObject } from "@bellwire/protocol";
import { Failure } from "./failure.js";
import { httpAddress } from "./settings.js";

const ANSWER_MS = 5000;

export interface Answer {
  readonly status: number;
  /** `{}` where the answer was no JSON object. */
  readonly body: JsonObject;
}

/** Asks a relay over HTTP. Rejects with a Failure where nobody answers. @param path such as `/readyz` */
export async function ask(url: URL, path: string, apiKey?: string): Promise<Answer> {
  const address = httpAddress(url, path);
  const headers = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  try {
    const response = await fetch(address, { headers, redirect: "manual", signal: AbortSignal.timeout(ANSWER_MS) });
    const body: unknown = await response.json().catch(() => undefined); // an error page; the status says enough
    return { status: response.status, body: asObject(body) ?? {} };
  } catch (error) {
    throw new Failure(
      `No relay answers at ${httpAddress(url)} (${reasonOf(error)}): start one with bellwire serve, or set REALTIME_PUBLIC_URL`,
    );
  }
}

/** Why an answer is a refusal, as `code: message`. */
export function refusalOf({ status, body }: Answer): string {
  if (asObject(body.error) === undefined) return `status ${status}`;
  const { code, message } = parseWireError(body.error);
  return `${code}: ${message}`;
}

/** fetch says "fetch failed" and keeps the reason in `cause`. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  if (!(cause instanceof Error)) return message;
  return (cause as NodeJS.ErrnoException).code ?? cause.message;
}

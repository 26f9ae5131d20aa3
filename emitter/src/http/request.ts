import { BellwireError, type Position } from "@bellwire/protocol";
import { NotSent } from "../attempts.js";
import { causeOf } from "../cause.js";
import { parseRefusal, parseResults, retryAfter } from "./answer.js";

/** Publishes to one site over a relay's HTTP API. Rejects with a BellwireError where it failed as a whole. */
export async function requestPublish(
  url: string,
  apiKey: string,
  messages: readonly string[],
  signal: AbortSignal,
): Promise<(Position | BellwireError)[]> {
  return parseResults(await post(url, apiKey, `{"messages":[${messages.join(",")}]}`, signal), messages.length);
}

/**
 * Posts JSON text and gives the answer's body. Rejects with a BellwireError unless the status is 2xx; with `NotSent` where no
 * connection came about.
 */
export async function post(url: string, apiKey: string, text: string, signal: AbortSignal): Promise<unknown> {
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json", accept: "application/json" },
      body: text,
      // Followed, a redirect would turn into a GET, or carry the message to somebody unexpected.
      redirect: "manual",
      signal,
    });
    body = await response.json().catch(() => undefined); // an error page; the status says enough
  } catch (error) {
    const sentence = `The relay at ${new URL(url).origin} can't be reached: ${causeOf(reasonOf(error))}`;
    throw isUnsent(reasonOf(error)) ? new NotSent(`Nothing was sent: ${sentence}`, { cause: error }) : unavailable(sentence, error);
  }
  if (!response.ok) throw parseRefusal(response.status, body, retryAfter(response.headers.get("retry-after")));
  return body;
}

/** fetch says "fetch failed" and keeps the reason in `cause`. */
function reasonOf(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error ? error.cause : error;
}

const UNSENT = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/;

/** No connection came about. */
function isUnsent(reason: unknown): boolean {
  return UNSENT.test(String((reason as NodeJS.ErrnoException | null)?.code));
}

function unavailable(sentence: string, cause: unknown): BellwireError {
  return new BellwireError("unavailable", sentence, { cause });
}

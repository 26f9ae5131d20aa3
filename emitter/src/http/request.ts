import { BellwireError, type Position } from "@bellwire/protocol";
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

/** Posts JSON text and gives the answer's body. Rejects with a BellwireError unless the status is 2xx. */
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
    throw new BellwireError("unavailable", `The relay can't be reached: ${reasonOf(error)}`, { cause: error });
  }
  if (!response.ok) throw parseRefusal(response.status, body, retryAfter(response.headers.get("retry-after")));
  return body;
}

/** fetch says "fetch failed" and keeps the reason in `cause`. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return cause.message || String((cause as NodeJS.ErrnoException).code ?? error.message);
}

import { asObject, BellwireError, type JsonObject } from "@bellwire/protocol";

/**
 * Reads a request's JSON object; an empty body counts as `{}`.
 * @throws BellwireError `too-large`, or `bad-request` for anything that is no JSON object or not said to be JSON
 */
export async function readBody(request: Request, maxBytes: number): Promise<JsonObject> {
  // Forms of foreign pages can send cookies, but not this type: it is what keeps such requests out.
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type)) throw new BellwireError("bad-request", "Send content-type: application/json");
  const text = await readText(request, maxBytes);
  const body = asObject(text === "" ? {} : parseJson(text));
  if (body === undefined) throw new BellwireError("bad-request", "The body is a JSON object: {} or {subscriptions: [{topic, filter}]}");
  return body;
}

async function readText(request: Request, maxBytes: number): Promise<string> {
  if (Number(request.headers.get("content-length")) > maxBytes) throw tooLarge(maxBytes);
  if (request.body === null) return "";
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = request.body.getReader();
  for (;;) {
    const { done, value } = await reader.read().catch((cause: unknown) => {
      throw new BellwireError("bad-request", "The body could not be read", { cause });
    });
    if (done) break;
    bytes += value.byteLength;
    if (bytes > maxBytes) {
      reader.cancel().catch(() => undefined); // it is refused either way
      throw tooLarge(maxBytes);
    }
    chunks.push(value);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new BellwireError("bad-request", "The body is no JSON");
  }
}

function tooLarge(maxBytes: number): BellwireError {
  return new BellwireError("too-large", `The body has more than ${maxBytes / 1024} KiB: ask for fewer subscriptions at a time`);
}

import { asObject, type JsonObject } from "@bellwire/protocol";
import { ClientError, toClientError } from "../errors.js";
import type { ClientOptions, SubscriptionRequest } from "../options.js";
import type { BatchLimits } from "../subscriptions/batches.js";
import { withDeadline } from "./deadline.js";
import type { ConnectionAnswer, TokenSource } from "./token-source.js";

/** An endpoint merges grants that are alike, and says of each that finds no room to ask again. */
const MOST: BatchLimits = { count: 500, length: 60_000 };

/** Asks the backend's token endpoint. One request can serve the connection and subscriptions at once. */
export function createEndpoint(url: string, options: Pick<ClientOptions, "headers" | "credentials">): Required<TokenSource> {
  const ask = async (requests: readonly SubscriptionRequest[]): Promise<ConnectionAnswer> => {
    const reply = await post(url, requests.length === 0 ? {} : { subscriptions: requests }, options);
    return reply === undefined || reply.enabled === false ? { off: true } : readAnswer(reply);
  };
  return {
    renewable: true,
    connection: ask,
    subscriptions: {
      most: MOST,
      async ask(requests) {
        const { grants } = await ask(requests);
        // A signed-out session must not end an open connection, so here it is one more failure to come back from.
        if (grants === undefined) throw new ClientError({ code: "unavailable", message: "The token endpoint gives no tokens" });
        return grants;
      },
    },
  };
}

/** The reply of the endpoint; unknown fields are ignored. */
function readAnswer(reply: JsonObject): ConnectionAnswer {
  const refused = new Map<number, ClientError>();
  if (Array.isArray(reply.results)) {
    reply.results.forEach((result: unknown, i) => {
      const error = asObject(result)?.error;
      if (error !== undefined && error !== null) refused.set(i, new ClientError(error));
    });
  }
  return {
    token: text(reply.token),
    url: text(reply.url),
    site: text(reply.site),
    grants: { token: text(reply.subscribeToken), refused },
  };
}

/** Returns undefined for 401. @throws ClientError */
async function post(url: string, body: object, options: Pick<ClientOptions, "headers" | "credentials">): Promise<JsonObject | undefined> {
  try {
    return await withDeadline("The token endpoint", async (signal) => {
      const headers = typeof options.headers === "function" ? options.headers() : options.headers;
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json", ...headers },
        body: JSON.stringify(body),
        credentials: options.credentials ?? "same-origin",
        signal,
      });
      if (response.status === 401) return undefined;
      // An error page is no JSON; its status says enough.
      const reply = asObject(await response.json().catch(() => undefined));
      if (response.ok && reply !== undefined) return reply;
      throw refusal(response, asObject(reply?.error));
    });
  } catch (thrown) {
    throw toClientError(thrown, "The token endpoint can't be reached");
  }
}

/** A status alone never ends it for good: a deploy answers 404 and 403 for a moment. A refusal in the contract's shape does as it says. */
function refusal(response: Response, error: JsonObject | undefined): ClientError {
  if (typeof error?.code === "string") return new ClientError(error);
  const after = Number(response.headers.get("retry-after")) * 1000;
  const message = `The token endpoint answered ${response.status} without a JSON object`;
  return new ClientError({ code: "unavailable", message, ...(after > 0 ? { after } : {}) });
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

import { asObject, limits, type JsonObject } from "@bellwire/protocol";
import { ClientError, toClientError } from "../errors.js";
import type { ClientOptions, SubscriptionRequest } from "../options.js";
import type { BatchLimits } from "../subscriptions/batches.js";
import { withDeadline } from "./deadline.js";
import type { ConnectionAnswer, GrantsAnswer, OnToken, TokenSource } from "./token-source.js";

/** An endpoint merges grants that are alike, and answers with several tokens where one has no room for all. */
const MOST: BatchLimits = { count: 500, length: 60_000 };

/** Asks the backend's token endpoint. One request can serve the connection and subscriptions at once. */
export function createEndpoint(
  url: string,
  options: Pick<ClientOptions, "headers" | "credentials">,
  onToken: OnToken,
): Required<TokenSource> {
  const ask = async (requests: readonly SubscriptionRequest[], signal?: AbortSignal): Promise<ConnectionAnswer> => {
    const reply = await post(url, requests.length === 0 ? {} : { subscriptions: requests }, options, signal);
    if (reply === undefined) return { off: "The token endpoint answered 401: nobody is signed in" };
    if (reply.enabled === false) return { off: "The token endpoint answered enabled: false" };
    const answer = readAnswer(reply);
    // One that nobody waits for any more tells of a moment that has passed.
    if (!signal?.aborted) onToken(answer.token ?? answer.grants?.token);
    return answer;
  };
  const askGrants = async (requests: readonly SubscriptionRequest[], signal?: AbortSignal): Promise<GrantsAnswer> => {
    const { grants } = await ask(requests, signal);
    // A signed-out session must not end an open connection, so here it is one more failure to come back from.
    if (grants === undefined) throw new ClientError({ code: "unavailable", message: "The token endpoint gives no tokens" });
    if (!isTooLong(grants.token) || requests.length < 2) return grants;
    const half = Math.ceil(requests.length / 2);
    return joined(
      await Promise.all([askGrants(requests.slice(0, half), signal), askGrants(requests.slice(half), signal)]),
      half,
      requests.length,
    );
  };
  return {
    renewable: true,
    async connection(requests, signal) {
      const answer = await ask(requests, signal);
      // To be asked for again, in halves.
      return requests.length > 1 && isTooLong(answer.grants?.token) ? { ...answer, grants: undefined } : answer;
    },
    subscriptions: { most: MOST, ask: askGrants },
  };
}

/** Signed by an endpoint that puts a grant for each request into one token: no relay would take it. */
function isTooLong(token: string | undefined): boolean {
  return token !== undefined && token.length > limits.tokenLength;
}

/** The answers to two halves of a list as one. @param half how many requests the first one had */
function joined(answers: readonly GrantsAnswer[], half: number, count: number): GrantsAnswer {
  const all = { token: undefined, tokens: new Map<number, string>(), refused: new Map<number, ClientError>() };
  for (let i = 0; i < count; i++) {
    const [answer, place] = i < half ? [answers[0], i] : [answers[1], i - half];
    const token = answer?.tokens?.get(place) ?? answer?.token;
    const error = answer?.refused.get(place);
    if (token !== undefined) all.tokens.set(i, token);
    if (error !== undefined) all.refused.set(i, error);
  }
  return all;
}

/** The reply of the endpoint; unknown fields are ignored. */
function readAnswer(reply: JsonObject): ConnectionAnswer {
  const refused = new Map<number, ClientError>();
  const tokens = new Map<number, string>();
  const several: readonly unknown[] = Array.isArray(reply.subscribeTokens) ? reply.subscribeTokens : [];
  if (Array.isArray(reply.results)) {
    reply.results.forEach((result: unknown, i) => {
      const { token, error } = asObject(result) ?? {};
      const own = typeof token === "number" ? text(several[token]) : undefined;
      // The error beside it is for clients that know of one token only.
      if (own !== undefined) tokens.set(i, own);
      else if (error !== undefined && error !== null) refused.set(i, new ClientError(error));
    });
  }
  return {
    token: text(reply.token),
    url: text(reply.url),
    site: text(reply.site),
    grants: { token: text(reply.subscribeToken), tokens, refused },
  };
}

/** Returns undefined for 401. @throws ClientError */
async function post(
  url: string,
  body: object,
  options: Pick<ClientOptions, "headers" | "credentials">,
  given: AbortSignal | undefined,
): Promise<JsonObject | undefined> {
  const request = async (signal: AbortSignal): Promise<JsonObject | undefined> => {
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
  };
  try {
    return await withDeadline("The token endpoint", request, { signal: given });
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

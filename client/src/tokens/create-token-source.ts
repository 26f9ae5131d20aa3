import { ClientError } from "../errors.js";
import type { ClientOptions } from "../options.js";
import type { BatchLimits } from "../subscriptions/batches.js";
import { withDeadline } from "./deadline.js";
import { createEndpoint } from "./endpoint.js";
import type { ConnectionAnswer, OnToken, SubscribeTokens, TokenSource } from "./token-source.js";

/** Chooses for either kind of token: the application's getter, else the endpoint, else none. */
export function createTokenSource(options: ClientOptions, endpoint: string | undefined, onToken: OnToken): TokenSource {
  const backend = endpoint === undefined ? undefined : createEndpoint(endpoint, options, onToken);
  const { token, getConnectionToken, getSubscribeToken } = options;
  const subscriptions = getSubscribeToken === undefined ? backend?.subscriptions : subscribeGetter(getSubscribeToken, onToken);
  const more = subscriptions === undefined ? {} : { subscriptions };
  if (getConnectionToken !== undefined) return { renewable: true, connection: connectionGetter(getConnectionToken, onToken), ...more };
  if (token !== undefined || backend === undefined) return { renewable: false, connection: async () => ({ token }), ...more };
  // The endpoint answers subscriptions along with the connection, unless they have a getter of their own.
  return getSubscribeToken === undefined
    ? backend
    : { renewable: true, connection: (_, signal) => backend.connection([], signal).then(alone), ...more };
}

function connectionGetter(getter: NonNullable<ClientOptions["getConnectionToken"]>, onToken: OnToken): TokenSource["connection"] {
  return async (_, signal) => {
    const answer = await withDeadline("getConnectionToken", getter, { signal });
    if (answer === null || answer === undefined) return { off: "getConnectionToken gave no token: nobody is signed in" };
    const { token, url, site } = typeof answer === "string" ? { token: answer } : answer;
    onToken(token);
    return { token, url, site };
  };
}

/** A getter may sign one grant for each request: base64 makes 4 characters of 3, and the token is signed as a whole. */
const MOST: BatchLimits = { count: 500, length: 9000 };

function subscribeGetter(getter: NonNullable<ClientOptions["getSubscribeToken"]>, onToken: OnToken): SubscribeTokens {
  const ask: SubscribeTokens["ask"] = async (requests, signal) => {
    const answer = await withDeadline("getSubscribeToken", () => getter(requests), { signal });
    const token = typeof answer === "string" ? answer : (answer?.token ?? undefined);
    if (token !== undefined && typeof token !== "string") {
      throw new ClientError({ code: "unavailable", message: "getSubscribeToken answers a string, {token} or null" });
    }
    onToken(token);
    return { token, refused: new Map() };
  };
  return { most: MOST, ask };
}

function alone({ grants: _, ...answer }: ConnectionAnswer): ConnectionAnswer {
  return answer;
}

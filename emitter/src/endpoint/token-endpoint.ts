import type { IncomingMessage } from "node:http";
import { BellwireError, type JsonObject } from "@bellwire/protocol";
import { within } from "../time.js";
import { parseSiteId, parseSubject } from "../identifier.js";
import { mintConnectToken } from "../tokens.js";
import { readEndpointOptions, type EndpointSettings, type Identity, type TokenEndpointOptions, type UserLike } from "./options.js";
import { readBody } from "./request-body.js";
import { grantSubscriptions } from "./subscriptions.js";

/** A web-standard handler; `req` is Node's request where `toNodeHandler` is in use. Never rejects. */
export type TokenEndpoint = (request: Request, req?: IncomingMessage) => Promise<Response>;

const MAX_BODY_BYTES = 256 * 1024;
const MAX_SUBSCRIPTIONS = 500;

/**
 * Makes the handler that browsers ask for tokens, e.g. at `/realtime`.
 *
 * `POST {}` answers `{enabled: true, url, site, token}` for the connection. `POST {subscriptions: [{topic, filter}]}`, at most
 * 500, also answers `results`, one for each, in order, with an `error` where it is refused, and `subscribeToken`, one for all
 * that are allowed; where one is too small, `subscribeTokens` and in each result `token`, which of them. `GET` answers like `POST {}`. Nobody signed in: 401. Switched off: `{enabled: false}`.
 *
 * @throws TypeError for an option that is wrong or missing
 */
export function createTokenEndpoint<User extends UserLike = UserLike>(options: TokenEndpointOptions<User>): TokenEndpoint {
  const settings = readEndpointOptions(options, process.env);
  return async (request, req) => {
    try {
      if (request.method !== "POST" && request.method !== "GET")
        return refusal(new BellwireError("bad-request", "Use POST"), 405, { allow: "GET, POST" });
      return reply(settings === undefined ? { enabled: false } : await answer(settings, request, req));
    } catch (error) {
      if (error instanceof BellwireError) return refusal(error);
      settings?.report(error, {});
      return refusal(new BellwireError("internal", "The token endpoint failed"));
    }
  };
}

async function answer<User extends UserLike>(
  settings: EndpointSettings<User>,
  request: Request,
  req: IncomingMessage | undefined,
): Promise<object> {
  const body = request.method === "POST" ? await readBody(request, MAX_BODY_BYTES) : {};
  const subscriptions = parseSubscriptions(body);
  const identity = await run(settings, "authenticate", () => settings.authenticate(request, req));
  if (identity === null || identity === undefined) throw new BellwireError("token-missing", "Sign in first");
  const { site, user, session } = await run(settings, "The identity", () => idsOf(identity));
  if (user === undefined && settings.allowAnonymous !== true) throw new BellwireError("token-missing", "Sign in first");
  if (typeof identity.until === "number" && identity.until <= Date.now() / 1000)
    throw new BellwireError("token-missing", "The session has ended");
  const who = { site, user, session, ttl: settings.ttl, until: identity.until };
  const token = await run(settings, "The connection token", async () =>
    mintConnectToken(
      settings.key,
      { ...who, info: identity.info, subscriptions: await settings.subscriptions?.(identity), grants: await settings.grants?.(identity) },
      settings,
    ),
  );
  const url =
    typeof settings.url === "string"
      ? settings.url
      : await run(settings, "url", () => (settings.url as (request: Request) => string)(request));
  const granted = subscriptions === undefined ? {} : await grantSubscriptions(subscriptions, who, identity.user ?? null, settings);
  return { enabled: true, url, site, token, ...granted };
}

function parseSubscriptions({ subscriptions }: JsonObject): readonly unknown[] | undefined {
  if (subscriptions === undefined || subscriptions === null) return undefined;
  if (!Array.isArray(subscriptions)) throw new BellwireError("bad-request", "subscriptions is a list of {topic, filter}");
  if (subscriptions.length <= MAX_SUBSCRIPTIONS) return subscriptions;
  throw new BellwireError("too-large", `At most ${MAX_SUBSCRIPTIONS} subscriptions in one request`);
}

/** Runs the application's code. Whatever it does wrong is reported, and told to the browser as `internal` without its message. */
async function run<User extends UserLike, T>(settings: EndpointSettings<User>, what: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await within(new Promise<T>((resolve) => resolve(work())), settings.timeout, what);
  } catch (error) {
    settings.report(error, {});
    throw new BellwireError("internal", "The token endpoint failed");
  }
}

/** Who asks, with every id as text. @throws BellwireError for what is no id, reported to the application */
function idsOf({ site, user, session }: Identity): { site: string; user: string | undefined; session: string | undefined } {
  const id: unknown = typeof user === "object" && user !== null ? user.id : user;
  return { site: parseSiteId(site), user: parseSubject(id, "user"), session: parseSubject(session, "session") };
}

function reply(body: object, status = 200, headers: Record<string, string> = {}): Response {
  const common = { "content-type": "application/json", "cache-control": "no-store", "x-content-type-options": "nosniff" };
  return new Response(JSON.stringify(body), { status, headers: { ...common, ...headers } });
}

function refusal(error: BellwireError, status: number = error.status, headers: Record<string, string> = {}): Response {
  return reply({ error: error.toJSON() }, status, headers);
}

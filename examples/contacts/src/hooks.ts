import { asObject, BellwireError, type JsonObject } from "@bellwire/protocol";
import { readText } from "./body.js";
import { topics } from "./realtime.js";
import type { Session, Sessions } from "./sessions.js";
import { createVerifier } from "./webhook.js";

/** Answers the relay's questions. */
export type HookEndpoint = (request: Request) => Promise<Response>;

type Answer = JsonObject | { readonly error: { readonly code: string; readonly message: string } };

const MAX_BODY = 256 * 1024;
const SIGNED_OUT: Answer = { error: { code: "signed-out", message: "Sign in first" } };

/**
 * Where the relay asks who connects, and what they may hear: the other way than tokens to say the same.
 * @param secret `whsec_` and base64, as the relay has it
 */
export function createHooks(sessions: Sessions, secret: string): HookEndpoint {
  const verify = createVerifier(secret);
  return async (request) => {
    if (request.method !== "POST") throw new BellwireError("bad-request", "Use POST");
    const body = await readText(request, MAX_BODY);
    // Anybody can reach this address: only the relay knows the secret.
    if (!verify(request.headers, body)) throw new BellwireError("token-invalid", "The signature does not hold");
    const question = parse(body);
    switch (question.event) {
      case "connect":
        return Response.json(connect(sessions, question));
      case "subscribe":
        return Response.json(await subscribe(sessions, question));
    }
    throw new BellwireError("not-found", "Nobody answers this here");
  };
}

/** By the session's cookie, which the browser showed to the relay. Of several people in one browser, `data.user` says which. */
function connect(sessions: Sessions, { site, headers, data }: JsonObject): Answer {
  const { cookie } = asObject(headers) ?? {};
  const user = asObject(data)?.user;
  const shown = new Headers({
    ...(typeof cookie === "string" ? { cookie } : {}),
    ...(typeof user === "string" && /^\w{1,64}$/.test(user) ? { "x-user": user } : {}),
  });
  const session = sessions.find(shown);
  if (session === undefined || session.user.site !== site) return SIGNED_OUT;
  return { user: session.user.id, session: session.id, info: { name: session.user.name } };
}

/** By the same rules as tokens. */
async function subscribe(sessions: Sessions, { site, session: id, topic, filter }: JsonObject): Promise<Answer> {
  const session = typeof id === "string" ? sessions.byId(id) : undefined;
  if (session === undefined || session.user.site !== site) return SIGNED_OUT;
  const found = topics.find(String(topic));
  const permission = await found?.rule.canSubscribe(session.user, filter as never, found.params, contextOf(session, String(topic)));
  if (!permission) return { error: { code: "forbidden", message: "You may not listen to this" } };
  return permission === true ? {} : { ...permission };
}

function contextOf({ id, user }: Session, topic: string): { site: string; topic: string; session: string } {
  return { site: user.site, topic, session: id };
}

function parse(body: string): JsonObject {
  let question: JsonObject | undefined;
  try {
    question = asObject(JSON.parse(body));
  } catch {
    question = undefined;
  }
  if (question === undefined) throw new BellwireError("bad-request", "A question is a JSON object");
  return question;
}

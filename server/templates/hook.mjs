// Answers Bellwire's question "{{event}}", with nothing but Node itself.
//
//     HOOK_SECRET=whsec_... node {{file}}
//
// In a web framework, hand `respond` a request's headers and raw body. The file that the relay's REALTIME_CONFIG names then says
//
//     hooks:
//       secret: whsec_...
// @if connect
//       headers: [cookie]
// @end
// @if connect refresh subscribe publish rpc
//       {{event}}: { url: "http://127.0.0.1:8080/" }
// @end
// @if notices
//       notices: { url: "http://127.0.0.1:8080/", events: [connected, disconnected] }
// @end

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const secret = Buffer.from((process.env.HOOK_SECRET ?? "").replace(/^whsec_/, ""), "base64");
if (secret.length === 0) {
  console.error("HOOK_SECRET is not set: whsec_ and some base64, as hooks.secret of the relay's file");
  process.exit(1);
}

/** Seconds: an older question may be a recording that somebody sends again. */
const MAX_AGE = 300;
const MAX_BYTES = 1_048_576;

/**
 * What is answered to each question, at once or by a promise. An answer is an object, `{error: {code, message}}` to refuse, or
 * `{disconnect: {code, reason}}` to end the connection. The code "forbidden" is about permission; with any other, your own, the
 * page gets `rejected`. It finds code and words in the error's `reason`.
 */
const answers = {
  // @if connect
  // Somebody connects: who is it? `headers` are those that the relay passes on, `data` is what the page sent along (anybody can
  // write it), `claims` are a connection token's, verified by the relay. There are `site` and `client` too.
  connect({ claims, headers }) {
    const user = claims?.sub ?? userOfCookie(headers.cookie ?? "");
    if (user === undefined) return { error: { code: "signed-out", message: "Sign in first" } };
    return {
      user: String(user), // an id is a string; "" admits a visitor without a name
      info: { name: `User ${user}` }, // shown to others where a topic has presence
      until: inAnHour(), // the end of the connection, unless `refresh` puts it off
      subscriptions: [{ topic: "news", filter: {} }], // made at once
      grants: [], // what else may be subscribed without asking again: [{ topic, filter }]
    };
  },
  // @end
  // @if refresh
  // A connection is about to end: may it stay? There are `site`, `user`, `session`, `client` and `headers`.
  refresh({ user }) {
    // Look up here whether this user is still welcome.
    if (!user) return { disconnect: { code: "signed-out", reason: "Sign in again" } };
    return { until: inAnHour() }; // null: no end any more
  },
  // @end
  // @if subscribe
  // May somebody hear this? There are `site`, `user`, `session`, `topic`, `filter`, and `params`: what a rule of the relay's
  // file, such as user.{uuid}, read from the topic.
  subscribe({ user, topic }) {
    if (topic === "news") return {}; // everybody may
    if (user && topic === `user.${user}`) return { until: inAnHour() }; // then it is asked again
    return { error: { code: "forbidden", message: `This is not for you: ${topic}` } };
  },
  // @end
  // @if publish
  // A client publishes: may this go in? There are `site`, `user`, `session`, `topic` and `data`.
  publish({ user, data: { text } }) {
    if (!user) return { error: { code: "forbidden", message: "Sign in first" } };
    if (typeof text !== "string" || text.trim() === "" || Buffer.byteLength(text) > 1000) {
      return { error: { code: "bad-message", message: "A message is a text of at most 1,000 bytes" } };
    }
    // Goes in instead of what the client sent. `{handled: true}` publishes nothing; `{topic}` puts it elsewhere.
    return { data: { text: text.trim(), user } };
  },
  // @end
  // @if rpc
  // A client calls a method. There are `site`, `user`, `session`, `method` and `data`. undefined: there is no such method.
  rpc({ user, method, data }) {
    switch (method) {
      case "ping":
        return { data: "pong" };
      case "whoami":
        return user ? { data: { user } } : { error: { code: "forbidden", message: "Sign in first" } };
      case "double":
        return typeof data?.n === "number" ? { data: data.n * 2 } : { error: { code: "no-number", message: "n is a number" } };
      default:
        return undefined;
    }
  },
  // @end
  // @if notices
  // No question: what happened. Each event has `event` (connected, disconnected, occupied or vacated) and whom or what it is
  // about. A notice comes at least once: the header webhook-id is the same each time.
  notices({ events }) {
    for (const event of events) console.error(JSON.stringify(event));
    return {};
  },
  // @end
};

// @if connect
/** Looks a session up: the user's id; undefined: signed out. */
function userOfCookie(_cookie) {
  return undefined; // your session store's answer
}

// @end
// @if connect refresh subscribe
function inAnHour() {
  return Math.floor(Date.now() / 1000) + 3600;
}

// @end
/** Whether a request is the relay's, by Standard Webhooks (https://www.standardwebhooks.com). */
function isSigned(headers, body) {
  const { "webhook-id": id = "", "webhook-timestamp": timestamp = "", "webhook-signature": signatures = "" } = headers;
  if (id === "" || !/^\d{1,12}$/.test(timestamp) || Math.abs(Date.now() / 1000 - Number(timestamp)) > MAX_AGE) return false;
  const expected = Buffer.from(`v1,${createHmac("sha256", secret).update(`${id}.${timestamp}.`).update(body).digest("base64")}`);
  // Several while a secret is being changed; the comparison takes as long for a wrong one.
  return signatures.split(" ").some((one) => {
    const given = Buffer.from(one);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

/** The HTTP status, and the answer. */
async function respond(headers, body) {
  if (!isSigned(headers, body)) return [401, { problem: "Not signed with HOOK_SECRET, or too long ago" }];
  const question = JSON.parse(body);
  const event = question?.event ?? "notices";
  const reply = Object.hasOwn(answers, event) ? await answers[event](question) : undefined;
  return reply === undefined ? [404, { problem: "This is not answered here" }] : [200, reply];
}

async function read(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new Error("The body is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const server = createServer(async (request, response) => {
  let status = 500;
  let reply = { problem: "See the backend's log" };
  try {
    [status, reply] = await respond(request.headers, await read(request));
  } catch (error) {
    console.error(error);
  }
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(reply));
});
server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => {
  console.error(`Answering {{event}} on http://127.0.0.1:${server.address().port}/`);
});

import { codes, limits } from "@bellwire/protocol";
import { JTI_LENGTH, MAX_HELD, type CommandKind } from "@bellwire/emitter/internal";
import { failure, json, OTHER, ref, SITE, type Schema } from "./openapi-parts.js";

const SUMMARIES: Readonly<Record<CommandKind, readonly [summary: string, description: string]>> = {
  subscribe: [
    "Subscribe connections",
    `Makes one subscription on each connection named, and on those that open later: stored, at most ${MAX_HELD} for each user, session or client, until it is ended, or for 24 h after the last use. Needs one of user, session and client, and a topic.`,
  ],
  unsubscribe: [
    "End subscriptions",
    "Ends the subscriptions that lie within topic and filter; without a topic all of them. What the server subscribed stays ended for connections that open later. Needs one of user, session and client, or a topic.",
  ],
  disconnect: ["End connections", "Needs one of user, session and client. What the client does next follows from the code's retry."],
  revoke: [
    "Refuse tokens and tickets issued until now",
    "Ends what they opened: the connections, or with a topic the subscriptions that could hear something of topic and filter. Stored for 7 days. Needs one of user, session, client and jti, or a topic.",
  ],
};

/** The paths of commands and counts. */
export function controlPaths(): Schema {
  const paths = Object.entries(SUMMARIES).map(([kind, texts]) => [`/v1/sites/{site}/${kind}`, { post: commandPath(kind, ...texts) }]);
  return { ...(Object.fromEntries(paths) as Schema), "/v1/counts": { get: COUNTS } };
}

function commandPath(kind: string, summary: string, description: string): Schema {
  return {
    operationId: kind,
    summary,
    description,
    parameters: [SITE],
    requestBody: { required: true, ...json(ref(kind === "disconnect" ? "Disconnect" : kind === "revoke" ? "Revoke" : "Scope")) },
    responses: {
      "200": { description: "The relays were told", ...json({ type: "object" }) },
      "400": failure("bad-request: nobody is named, or a field is wrong"),
      "401": failure("token-missing, token-invalid"),
      "403": failure("forbidden, wrong-site"),
      "429": failure("limit: too many subscriptions held, or revocations in force"),
      "503": failure("unavailable: whether relays were told is unknown; tell them again"),
      ...OTHER,
    },
  };
}

const COUNTS: Schema = {
  operationId: "counts",
  summary: "What is open on all relays",
  description: "Needs a key that is not bound to sites.",
  responses: {
    "200": { description: "Sums over the relays that answered", ...json(ref("Counts")) },
    "401": failure("token-missing, token-invalid"),
    "403": failure("forbidden, wrong-site"),
    "503": failure("unavailable: the other relays can't be asked"),
    ...OTHER,
  },
};

const TARGET: Schema = {
  user: { type: "string", minLength: 1, maxLength: limits.subjectBytes },
  session: { type: "string", minLength: 1, maxLength: limits.subjectBytes },
  client: { type: "string", minLength: 1, maxLength: limits.keyLength, description: "A page load" },
};

const SCOPE: Schema = {
  topic: { type: "string", description: "A topic; for unsubscribe and revoke also a prefix that ends in *" },
  filter: ref("Filter"),
};

/** The schemas that these paths refer to. */
export function controlSchemas(): Schema {
  return {
    Scope: { type: "object", properties: { ...TARGET, ...SCOPE } },
    Revoke: {
      type: "object",
      properties: {
        ...TARGET,
        ...SCOPE,
        jti: { type: "string", minLength: 1, maxLength: JTI_LENGTH, description: "Only the token with this jti, and what it opened" },
      },
    },
    Disconnect: {
      type: "object",
      properties: {
        ...TARGET,
        code: { enum: Object.keys(codes), default: "forbidden" },
        reason: {
          type: "object",
          required: ["code"],
          properties: { code: { type: ["string", "number"] }, message: { type: "string" } },
          description: "The backend's own words, passed through to the client",
        },
      },
    },
    Counts: {
      type: "object",
      required: ["relays", "missing", "connections", "subscriptions", "sites", "feeds"],
      properties: {
        relays: { type: "integer", description: "Relays that answered" },
        missing: { type: "integer", description: "Relays that did not answer in time" },
        connections: { type: "integer" },
        subscriptions: { type: "integer" },
        sites: { type: "integer", description: "Each counted once for every relay that it is open on" },
        feeds: { type: "integer", description: "Topics listened to, counted likewise" },
      },
    },
  };
}

import { codes, limits } from "@bellwire/protocol";
import { JTI_LENGTH, MAX_HELD, REASON_LENGTH, type CommandKind } from "@bellwire/emitter/commands";
import {
  CLIENT,
  failure,
  json,
  LIMITED,
  oneOf,
  OPEN,
  OTHER,
  REASON_CODE,
  ref,
  SITE,
  SUBJECT,
  TOPIC,
  type Schema,
} from "./openapi-parts.js";

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
    requestBody: { required: true, ...json(ref(kind.charAt(0).toUpperCase() + kind.slice(1))) },
    responses: {
      "200": { description: "The relays were told", ...json(OPEN) },
      "400": failure("bad-request: nobody is named, or a field is wrong"),
      "401": failure("token-missing, token-invalid"),
      "403": failure("forbidden, wrong-site"),
      "413": failure("too-large: the body"),
      "429": LIMITED("limit: too many subscriptions held, or revocations in force"),
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
  user: { ...SUBJECT, description: "All connections of a user" },
  session: { ...SUBJECT, description: "All connections of a session" },
  client: CLIENT,
};
const NAMES = Object.keys(TARGET);
const NOBODY: Schema = { not: { anyOf: NAMES.map((name) => ({ required: [name] })) } };

const SCOPE: Schema = {
  topic: {
    type: "string",
    pattern: "^([A-Za-z0-9_.:-][A-Za-z0-9_.:$-]{0,127}|[A-Za-z0-9_.:-][A-Za-z0-9_.:$-]{0,126}\\*|\\*)$",
    description: "A topic, or a prefix that ends in *",
  },
  filter: ref("Filter"),
};

/** A command that names one of user, session and client, or something else instead. */
function command(properties: Schema, instead: readonly string[], more: Schema = {}): Schema {
  const named = oneOf(...NAMES).oneOf as Schema[];
  const others = instead.map((name) => ({ required: [name] }));
  return {
    type: "object",
    additionalProperties: false,
    properties: { ...TARGET, ...properties },
    oneOf: others.length === 0 ? named : [...named, { ...NOBODY, anyOf: others }],
    ...more,
  };
}

/** The schemas that these paths refer to. */
export function controlSchemas(): Schema {
  const ofTopic = { dependentRequired: { filter: ["topic"] } };
  return {
    Subscribe: command({ topic: TOPIC, filter: ref("Filter") }, [], { required: ["topic"] }),
    Unsubscribe: command(SCOPE, ["topic"], ofTopic),
    Revoke: command(
      {
        ...SCOPE,
        jti: { type: "string", minLength: 1, maxLength: JTI_LENGTH, description: "Only the token with this jti, and what it opened" },
      },
      ["topic", "jti"],
      ofTopic,
    ),
    Disconnect: command(
      {
        code: { enum: Object.keys(codes), description: "What the client is told; forbidden where it is absent" },
        reason: {
          type: "object",
          required: ["code"],
          additionalProperties: false,
          properties: {
            code: { ...REASON_CODE, minLength: 1, maxLength: limits.keyLength },
            message: { type: "string", minLength: 1, maxLength: REASON_LENGTH },
          },
          description: "The backend's own words, passed through to the client",
        },
      },
      [],
    ),
    Counts: {
      type: "object",
      required: ["relays", "missing", "connections", "subscriptions", "sites", "feeds"],
      properties: {
        relays: { type: "integer", description: "Relays that answered" },
        missing: { type: "integer", description: "Relays that did not answer in time" },
        connections: { type: "integer", minimum: 0 },
        subscriptions: { type: "integer", minimum: 0 },
        sites: { type: "integer", description: "Each counted once for every relay that it is open on" },
        feeds: { type: "integer", description: "Topics listened to, counted likewise" },
      },
    },
  };
}

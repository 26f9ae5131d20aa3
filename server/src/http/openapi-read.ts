import { limits } from "@bellwire/protocol";
import { HISTORY_LIMITS } from "./history.js";
import { DATA, failure, json, OFFSET, OTHER, ref, SAFE, SITE, TOPIC, type Schema } from "./openapi-parts.js";

const IN_PATH: Schema = { name: "topic", in: "path", required: true, schema: TOPIC };

const FILTER: Schema = {
  name: "filter",
  in: "query",
  description: "Only what a subscription with this filter hears or is; absent: everything",
  content: { "application/json": { schema: ref("Filter"), example: { id: 5 } } },
};

const REFUSALS: Schema = {
  "400": failure("bad-request: a name or parameter is wrong; unsupported: this relay can't tell"),
  "401": failure("token-missing, token-invalid"),
  "403": failure("forbidden, wrong-site"),
  "503": failure("unavailable: Redis is away; ask again"),
  ...OTHER,
};

/** The paths of what can be asked about topics. */
export function readPaths(): Schema {
  return {
    "/v1/sites/{site}/topics/{topic}/history": { get: HISTORY },
    "/v1/sites/{site}/topics/{topic}/presence": { get: PRESENCE },
    "/v1/sites/{site}/watched": { get: WATCHED },
  };
}

const HISTORY: Schema = {
  operationId: "history",
  summary: "Read a topic's log",
  description:
    "The newest messages, or with since those after a position, the oldest first. Whom a message leaves out makes no difference here. To read on, ask since the last message given.",
  parameters: [
    SITE,
    IN_PATH,
    {
      name: "since",
      in: "query",
      description: "A position, <epoch>-<offset>: only messages after it",
      schema: { type: "string", pattern: "^[0-9]{1,32}-[0-9]{1,15}$" },
      example: "1763700000000000-12",
    },
    {
      name: "limit",
      in: "query",
      description: "At most so many messages",
      schema: { type: "integer", minimum: 1, maximum: HISTORY_LIMITS.messages, default: HISTORY_LIMITS.byDefault },
    },
    FILTER,
  ],
  responses: { "200": { description: "Messages, and where the log stands", ...json(ref("History")) }, ...REFUSALS },
};

const PRESENCE: Schema = {
  operationId: "presence",
  summary: "Who is on a topic",
  description: "On all relays. A user with several connections is there once; anonymous visitors count and are not listed.",
  parameters: [SITE, IN_PATH],
  responses: { "200": { description: "Those present", ...json(ref("Presence")) }, ...REFUSALS },
};

const WATCHED: Schema = {
  operationId: "watched",
  summary: "Whether anybody watches",
  description: "False only where no connection on any relay could hear a message that matches; in doubt true.",
  parameters: [SITE, { name: "topic", in: "query", required: true, schema: TOPIC }, FILTER],
  responses: { "200": { description: "The answer", ...json(ref("Watched")) }, ...REFUSALS },
};

const SCALAR: Schema = {
  type: ["string", "number", "boolean", "null"],
  maxLength: limits.filterStringLength,
  ...SAFE,
  description: "Numbers beyond 2^53 - 1 are not the same everywhere, and are refused",
};

/** The schemas that these paths refer to. */
export function readSchemas(): Schema {
  return {
    Filter: {
      type: "object",
      maxProperties: limits.filterKeys,
      propertyNames: { maxLength: limits.filterKeyLength, not: { enum: ["__proto__", "constructor", "prototype"] } },
      additionalProperties: { anyOf: [SCALAR, { type: "array", minItems: 1, maxItems: limits.filterCombinations, items: SCALAR }] },
      description: "Keys pinned to a value, or to any of several",
    },
    LoggedMessage: {
      type: "array",
      description: "[offset, time in epoch milliseconds, data], and later what a newer relay adds",
      minItems: 3,
      prefixItems: [{ ...OFFSET, minimum: 1 }, { type: "integer" }, DATA],
      items: {},
    },
    History: {
      type: "object",
      required: ["epoch", "offset", "messages", "complete"],
      properties: {
        epoch: { type: "string", maxLength: limits.epochLength },
        offset: { ...OFFSET, description: "Of the newest message in the log, whether or not it is among these" },
        messages: { type: "array", maxItems: HISTORY_LIMITS.messages, items: ref("LoggedMessage") },
        complete: {
          type: "boolean",
          description:
            "True: these are all that match, after since or from the log's beginning. False with limit messages: there are more. False with fewer: some are gone",
        },
      },
    },
    Presence: {
      type: "object",
      required: ["users", "count"],
      properties: {
        users: {
          type: "array",
          items: {
            type: "object",
            required: ["user"],
            properties: { user: { type: "string" }, info: { description: "What the backend said of the user" } },
          },
        },
        count: { type: "integer", minimum: 0 },
        incomplete: { const: true, description: "There are more users than are listed" },
      },
    },
    Watched: { type: "object", required: ["watched"], properties: { watched: { type: "boolean" } } },
  };
}

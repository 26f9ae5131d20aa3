import { failure, LIMITED, ref, SITE, type Schema } from "./openapi-parts.js";

const TOKEN: Schema = { type: "string", description: "As in Authorization: Bearer, for what can't send a header" };

/** The path of subscriptions as server-sent events; not for backends, but for whoever subscribes without Socket.IO. */
export function eventPaths(): Schema {
  return {
    "/v1/sites/{site}/events": {
      get: {
        operationId: "events",
        summary: "Subscribe, as server-sent events",
        description:
          "Events hello, message ({topic, epoch, offset, time, data}), resync ({topics, spread, cause}), subscribed, unsubscribed and bye (an error). The id of an event stands for everything heard up to it. Where one subscription is refused the request is.",
        security: [{ token: [] }],
        parameters: [
          SITE,
          {
            name: "subscribe",
            in: "query",
            description: "What to hear, at most 50; with a connection token, absent: what that brings",
            content: { "application/json": { schema: { type: "array", maxItems: 50, items: ref("EventSubscription") } } },
          },
          { name: "token", in: "query", schema: TOKEN },
          { name: "lastEventId", in: "query", description: "As the header Last-Event-ID", schema: { type: "string" } },
          {
            name: "Last-Event-ID",
            in: "header",
            description: "The newest id heard: the stream goes on from there",
            schema: { type: "string" },
          },
        ],
        responses: {
          "200": { description: "A stream that does not end", content: { "text/event-stream": { schema: { type: "string" } } } },
          "400": failure("bad-request: the request, or a subscription; unsupported"),
          "401": failure("token-missing, token-invalid, token-expired"),
          "403": failure("forbidden: a subscription, or the page's origin; revoked, wrong-site"),
          "429": LIMITED("limit: too much at once"),
          "503": failure("unavailable, draining: connect again"),
          default: failure("Any other error, e.g. rejected 422, internal 500, timeout 504: act by its retry"),
        },
      },
    },
  };
}

/** The schemas that this path refers to. */
export function eventSchemas(): Schema {
  return {
    EventSubscription: {
      type: "object",
      required: ["topic"],
      additionalProperties: true,
      properties: {
        topic: { type: "string" },
        filter: ref("Filter"),
        since: {
          description: "A position: everything after it. null: subscribed before, position unknown. Absent: for the first time",
          anyOf: [
            { type: "null" },
            {
              type: "object",
              required: ["epoch", "offset"],
              properties: { epoch: { type: "string", maxLength: 32 }, offset: { type: "integer", minimum: 0 } },
            },
          ],
        },
        replay: {
          description: "Whether the last matching message comes first; maxAge in milliseconds",
          anyOf: [{ type: "boolean" }, { type: "object", required: ["maxAge"], properties: { maxAge: { type: "number", minimum: 0 } } }],
        },
      },
    },
  };
}

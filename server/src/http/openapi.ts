import { codes, limits } from "@bellwire/protocol";
import { eventPaths, eventSchemas } from "./openapi-events.js";
import { controlPaths, controlSchemas } from "./openapi-control.js";
import {
  CLIENT,
  DATA,
  failure,
  json,
  LISTED_TOPIC,
  OFFSET,
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
import { readPaths, readSchemas } from "./openapi-read.js";
import { PUBLISH_LIMITS } from "./publish-body.js";

/** The OpenAPI 3.1 document of the API that this relay answers. */
export function openApi(): Schema {
  return {
    openapi: "3.1.0",
    info: {
      title: "Bellwire",
      version: "1",
      description: "The server API of a Bellwire relay.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    security: [{ key: [] }],
    paths: {
      "/v1/sites/{site}/publish": {
        post: {
          operationId: "publish",
          summary: "Publish one message, or several",
          description:
            "Several topics or messages are several appends: not atomic, with a result each, in order. A retry with the same idempotencyKey completes them.",
          parameters: [SITE],
          requestBody: {
            required: true,
            ...json({
              oneOf: [
                ref("Message"),
                {
                  type: "object",
                  required: ["messages"],
                  additionalProperties: false,
                  properties: { messages: { type: "array", minItems: 1, maxItems: PUBLISH_LIMITS.messages, items: ref("Message") } },
                },
              ],
            }),
          },
          responses: {
            "200": { description: "A result for each topic of each message", ...json(ref("Results")) },
            "400": failure("Wrong as a whole: bad-request, unsupported"),
            "401": failure("token-missing, token-invalid"),
            "403": failure("forbidden, wrong-site"),
            "413": failure("too-large"),
            "503": failure("unavailable: outcome unknown; retry with the same idempotencyKey"),
            ...OTHER,
          },
        },
      },
      ...readPaths(),
      ...controlPaths(),
      ...eventPaths(),
      "/v1/openapi.json": {
        get: {
          operationId: "openapi",
          summary: "This document",
          security: [],
          responses: { "200": { description: "OpenAPI 3.1", ...json(OPEN) } },
        },
      },
      "/metrics": {
        get: {
          operationId: "metrics",
          summary: "Numbers of this relay",
          security: [],
          responses: { "200": { description: "Prometheus's text form", content: { "text/plain": { schema: { type: "string" } } } } },
        },
      },
      "/healthz": {
        get: {
          operationId: "healthz",
          summary: "Alive",
          security: [],
          responses: { "200": { description: "Alive", ...json(OPEN) } },
        },
      },
      "/readyz": {
        get: {
          operationId: "readyz",
          summary: "Ready for connections",
          security: [],
          responses: {
            "200": { description: "Ready, or degraded while Redis is away", ...json(ref("Ready")) },
            "503": { description: "Starting or draining", ...json(ref("Ready")) },
          },
        },
      },
    },
    components: {
      securitySchemes: {
        key: { type: "http", scheme: "bearer", description: "REALTIME_API_KEY, or a key of the configuration file" },
        token: { type: "http", scheme: "bearer", description: "A connection token, or a subscribe token" },
      },
      schemas: {
        Message: {
          type: "object",
          additionalProperties: false,
          ...oneOf("topic", "topics", "user", "session"),
          properties: {
            topic: TOPIC,
            topics: { type: "array", minItems: 1, maxItems: PUBLISH_LIMITS.topics, items: LISTED_TOPIC },
            user: { ...SUBJECT, description: "A user, on whose personal topic it goes" },
            session: { ...SUBJECT, description: "A session, likewise" },
            data: DATA,
            idempotencyKey: {
              type: "string",
              minLength: 1,
              maxLength: limits.keyLength,
              pattern: "^[^\\u0000-\\u001f\\u007f-\\u009f]*$",
              description: "The same key within 5 minutes is the same message",
            },
            except: {
              type: "object",
              description: "Whom to leave out",
              additionalProperties: false,
              properties: { user: SUBJECT, session: SUBJECT, client: CLIENT },
            },
          },
        },
        Results: {
          type: "object",
          required: ["results"],
          properties: {
            results: {
              type: "array",
              items: {
                oneOf: [
                  {
                    type: "object",
                    required: ["topic", "epoch", "offset"],
                    properties: {
                      topic: { type: "string", description: "$user or $session where it went to one" },
                      epoch: { type: "string", maxLength: limits.epochLength },
                      offset: { ...OFFSET, minimum: 1 },
                    },
                  },
                  { type: "object", required: ["topic", "error"], properties: { topic: { type: "string" }, error: ref("Error") } },
                ],
              },
            },
          },
        },
        ...readSchemas(),
        ...controlSchemas(),
        ...eventSchemas(),
        Ready: {
          type: "object",
          required: ["status", "redis"],
          properties: {
            status: { enum: ["ready", "degraded", "starting", "draining"] },
            redis: { type: "string" },
            problem: { type: "string" },
          },
        },
        Failure: { type: "object", required: ["error"], properties: { error: ref("Error") } },
        Error: {
          type: "object",
          required: ["code", "message", "retry"],
          properties: {
            code: { type: "string", enum: Object.keys(codes), description: "Act by retry where a newer relay says another one" },
            message: { type: "string" },
            retry: { type: "string", enum: ["never", "refresh", "later"] },
            after: { type: "integer", minimum: 0, description: "Milliseconds to wait" },
            reason: {
              type: "object",
              additionalProperties: true,
              properties: { code: REASON_CODE, message: { type: "string" } },
              description: "The backend's own words",
            },
          },
        },
      },
    },
  };
}

import { limits } from "@bellwire/protocol";

/** A piece of an OpenAPI document, or of a JSON Schema in it. */
export type Schema = Record<string, unknown>;

export const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

export const json = (schema: Schema): Schema => ({ content: { "application/json": { schema } } });

export const failure = (description: string): Schema => ({ description, ...json(ref("Failure")) });

/** A refusal that says when to come back. */
export const LIMITED = (description: string): Schema => ({
  ...failure(description),
  headers: { "Retry-After": { required: true, description: "Seconds to wait", schema: { type: "integer", minimum: 0 } } },
});

/** Whatever no other status stands for. */
export const OTHER: Schema = { default: failure("Any other error, e.g. internal 500, timeout 504: act by its retry") };

export const SITE: Schema = {
  name: "site",
  in: "path",
  required: true,
  description: "A tenant",
  schema: { type: "string", pattern: "^[A-Za-z0-9_-]{1,64}$" },
};

export const TOPIC: Schema = {
  type: "string",
  pattern: "^[A-Za-z0-9_.:-][A-Za-z0-9_.:$-]{0,127}$",
  description: "A topic's name; names that begin with $ are refused",
};

/** One of several: those that are refused are refused each for itself. */
export const LISTED_TOPIC: Schema = { type: "string", maxLength: 128, description: TOPIC.description };

/** A user or a session. */
export const SUBJECT: Schema = { type: "string", minLength: 1, maxLength: limits.subjectBytes };

/** A page load. */
export const CLIENT: Schema = { type: "string", minLength: 1, maxLength: limits.keyLength, description: "A page load" };

/** Offsets, and all numbers that have to be the same everywhere. */
export const SAFE: Schema = { minimum: -Number.MAX_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER };

export const OFFSET: Schema = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER };

/** Message data: any object. No `default` here or elsewhere in a body: generators take a field that has one for required. */
export const DATA: Schema = {
  type: "object",
  additionalProperties: true,
  description: "A hint, never the data itself; its top-level scalars are what filters see",
};

/** An object whose fields depend on the relay's version. */
export const OPEN: Schema = { type: "object", additionalProperties: true };

/** What is said by whoever refuses for reasons of their own. */
export const REASON_CODE: Schema = { type: ["string", "number"] };

/** Exactly one of these is there. */
export const oneOf = (...names: readonly string[]): Schema => ({ oneOf: names.map((name) => ({ required: [name] })) });

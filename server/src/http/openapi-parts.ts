/** A piece of an OpenAPI document, or of a JSON Schema in it. */
export type Schema = Record<string, unknown>;

export const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

export const json = (schema: Schema): Schema => ({ content: { "application/json": { schema } } });

export const failure = (description: string): Schema => ({ description, ...json(ref("Failure")) });

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
  pattern: "^[A-Za-z0-9_.:$-]{1,128}$",
  description: "A topic's name; names that begin with $ are refused",
};

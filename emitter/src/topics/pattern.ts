import { isReservedTopic, isTopic } from "@bellwire/protocol";

/** The names in a pattern: `PatternParams<"user.{id}">` is `{id: string}`. */
export type PatternParams<Pattern extends string> = string extends Pattern
  ? Readonly<Record<string, string>>
  : { readonly [Name in ParamNames<Pattern>]: string };

type ParamNames<Pattern extends string> = Pattern extends `${string}{${infer Name}}${infer Rest}` ? Name | ParamNames<Rest> : never;

/** A topic name, or a pattern like `user.{id}`, ready for matching. */
export interface CompiledPattern {
  readonly text: string;
  /** Literal characters: the more, the more specific. */
  readonly literals: number;
  /** Whether it is a whole name without placeholders. */
  readonly exact: boolean;
  /** The placeholders' values, or undefined where the topic doesn't fit. */
  match(topic: string): Readonly<Record<string, string>> | undefined;
}

const PLACEHOLDER = /\{([^{}]*)\}/g;
const PARAM_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
// One segment: as long as it can be, but never across a dot.
const SEGMENT = "([A-Za-z0-9_:$-]+)";
// Topics are chosen by users: more placeholders between two dots would take long to try out.
const MOST_PER_SEGMENT = 3;

/** @throws TypeError for a pattern that no topic name can fit */
export function compilePattern(text: string): CompiledPattern {
  if (typeof text !== "string") throw new TypeError(`A topic is defined by a name or a pattern like "user.{id}", not by ${typeof text}`);
  const names = [...text.matchAll(PLACEHOLDER)].map(([, name]) => name as string);
  const literal = text.replace(PLACEHOLDER, "");
  if (!isTopic(text.replace(PLACEHOLDER, "x"))) throw refuse(text, "it is 1 to 128 characters of A-Z a-z 0-9 _ . : $ - and {names}");
  if (isReservedTopic(text)) throw refuse(text, "names that begin with $ belong to the server");
  if (/\}\{/.test(text)) throw refuse(text, "something has to stand between two placeholders");
  const wrong = names.find((name) => !PARAM_NAME.test(name));
  if (wrong !== undefined) throw refuse(text, `{${wrong}} is no name`);
  if (new Set(names).size < names.length) throw refuse(text, "a placeholder stands there twice");
  if (text.split(".").some((segment) => [...segment.matchAll(PLACEHOLDER)].length > MOST_PER_SEGMENT)) {
    throw refuse(text, `at most ${MOST_PER_SEGMENT} placeholders may stand between two dots`);
  }
  const source = text.split(PLACEHOLDER).map((part, i) => (i % 2 === 0 ? escape(part) : SEGMENT));
  const expression = new RegExp(`^${source.join("")}$`);
  return {
    text,
    literals: literal.length,
    exact: names.length === 0,
    match: (topic) => {
      const found = expression.exec(topic);
      return found === null ? undefined : Object.fromEntries(names.map((name, i) => [name, found[i + 1] as string]));
    },
  };
}

function escape(text: string): string {
  return text.replace(/[.$]/g, "\\$&");
}

function refuse(text: string, why: string): TypeError {
  return new TypeError(`${JSON.stringify(text)} can't define a topic: ${why}`);
}

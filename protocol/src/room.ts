import { isScalar, scalarText, type ParsedFilter, type Scalar } from "./filter.js";
import type { JsonObject } from "./json.js";

/**
 * A shape in use on a topic: the key tuple of some filters, and the text that begins all their rooms' names.
 * A relay names one room per shape and message, whatever the number of subscriptions.
 */
export interface Shape {
  readonly keys: readonly string[];
  readonly prefix: string;
}

/** The shape of a filter on a topic. Two filters of one topic have the same shape exactly when the prefixes are equal. */
export function shapeOf(topic: string, filter: ParsedFilter): Shape {
  // A topic holds no "[", so the prefix can be read in one way only; so can the JSON texts after it.
  return { keys: filter.keys, prefix: topic + JSON.stringify(filter.keys) };
}

/** The rooms of a subscription: one per value combination, at most 256. */
export function roomsOf(shape: Shape, filter: ParsedFilter): string[] {
  let names = [shape.prefix];
  for (const allowed of filter.values) {
    names = names.flatMap((name) => allowed.map((value) => `${name},${scalarText(value)}`));
  }
  return names;
}

/** The room of a message for one shape, or undefined where its data lacks a key or holds something incomparable. */
export function roomFor(shape: Shape, data: JsonObject): string | undefined {
  let name = shape.prefix;
  for (const key of shape.keys) {
    if (!Object.hasOwn(data, key)) return undefined;
    const value = data[key];
    if (!isScalar(value)) return undefined;
    name += `,${scalarText(value satisfies Scalar)}`;
  }
  return name;
}

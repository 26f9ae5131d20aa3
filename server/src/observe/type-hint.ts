import { roomFor, type Scalar } from "@bellwire/protocol";
import type { Feed } from "../feed/feed.js";
import type { Message } from "../feed/message.js";

/**
 * Development only: warns once per topic and key when nothing but the type kept a message from a filter, e.g. `"5"` in the data
 * and `5` in the filter. The most common mistake with strict equality, and invisible otherwise.
 */
export function createTypeHint(warn: (message: string) => void): (feed: Feed, message: Message) => void {
  const told = new Set<string>();
  return (feed, message) => {
    for (const { shape, has } of feed.rooms.shapes()) {
      const name = roomFor(shape, message.data);
      if (name === undefined || has(name)) continue;
      for (const key of shape.keys) {
        const value = message.data[key] as Scalar;
        const other = otherType(value);
        const fact = `${feed.topic}\n${key}`;
        if (other === undefined || told.has(fact)) continue;
        const near = roomFor(shape, { ...message.data, [key]: other });
        if (near === undefined || !has(near)) continue;
        if (told.size > 1000) told.clear();
        told.add(fact);
        warn(
          `${feed.topic}: a message with ${key} = ${JSON.stringify(value)} was not heard by a subscription that asks for ${JSON.stringify(other)}: filters compare strictly, ${typeof value} is not ${typeof other}`,
        );
      }
    }
  };
}

function otherType(value: Scalar): Scalar | undefined {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "string" || value === "") return undefined;
  if (value === "true" || value === "false") return value === "true";
  const number = Number(value);
  return Number.isFinite(number) && String(number) === value ? number : undefined;
}

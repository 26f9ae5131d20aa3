import { asObject, isOffset, type WireMessage } from "@bellwire/protocol";

/** Reads messages as they arrive. What is no message is left out; data that PHP wrote as `[]` becomes `{}`. */
export function readMessages(value: unknown): WireMessage[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item: unknown): WireMessage[] => {
    if (!Array.isArray(item) || !isOffset(item[0])) return [];
    return [[item[0], Number(item[1]) || 0, asObject(item[2]) ?? {}]];
  });
}

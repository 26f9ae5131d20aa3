import type { Position, Subscribed, WireMessage } from "@bellwire/protocol";
import { stringifyRaw } from "../wire/raw-json.js";
import { RECOVERY_LIMITS } from "../feed/recovery.js";

/** What was asked for and made. */
export interface Made {
  readonly topic: string;
  readonly result: Subscribed;
}

/** A message with its data's JSON text as it was published. */
export interface TextMessage {
  readonly offset: number;
  readonly time: number;
  readonly text: string;
}

/** What a stream begins with, topic by topic. */
export interface Beginning {
  readonly topic: string;
  /** Undefined where the log can't be read yet: a resync follows. */
  readonly position: Position | undefined;
  /** In order, each once. */
  readonly messages: readonly TextMessage[];
  readonly resync: boolean;
}

/**
 * Several subscriptions of one topic as the one that a stream has of it: it names no subscription, so that a message is on it
 * once, and a topic has one position. Pure.
 */
export function beginningsOf(made: readonly Made[]): Beginning[] {
  const byTopic = new Map<string, Subscribed[]>();
  for (const { topic, result } of made) {
    const results = byTopic.get(topic);
    if (results === undefined) byTopic.set(topic, [result]);
    else results.push(result);
  }
  let bytes = 0;
  return [...byTopic].map(([topic, results]): Beginning => {
    const [first] = results as [Subscribed];
    const { epoch } = first;
    // They differ where one has been told more by another relay: what the others would miss is then not known here.
    const same = results.every((result) => result.epoch === epoch && result.offset === first.offset);
    const offset = Math.min(...results.map((result) => result.offset));
    const position = epoch === "" ? undefined : { epoch, offset };
    const messages = same && !results.some(({ resync }) => resync) ? merged(results) : undefined;
    const size = messages?.reduce((sum, { text }) => sum + text.length, 0) ?? 0;
    if (messages === undefined || bytes + size > RECOVERY_LIMITS.bytes) return { topic, position, messages: [], resync: true };
    bytes += size;
    return { topic, position, messages, resync: false };
  });
}

function merged(results: readonly Subscribed[]): TextMessage[] {
  const byOffset = new Map(results.flatMap(({ messages }) => messages).map((message) => [message[0], message]));
  return [...byOffset.values()].sort(([one], [other]) => one - other).map(textMessage);
}

export function textMessage([offset, time, data]: WireMessage): TextMessage {
  return { offset, time, text: stringifyRaw(data) };
}

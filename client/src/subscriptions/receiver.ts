import { asObject, isEpoch, isOffset, type JsonObject, type TopicPosition } from "@bellwire/protocol";
import { ClientError } from "../errors.js";
import { readMessages } from "./batch-reader.js";
import type { Held } from "./held.js";
import type { Registry } from "./registry.js";
import type { Retries } from "./retries.js";
import type { TopicIndex } from "./topic-index.js";

export interface ReceiverParts {
  readonly topics: TopicIndex;
  readonly registry: Registry;
  readonly retries: Retries;
  readonly held: Held;
  onTicket(ticket: string): void;
  onExpiring(event: JsonObject): void;
  onPresence(topic: string, change: JsonObject): void;
}

/** Hands each event of the relay to whom it concerns. Unknown events and whatever is malformed are ignored. */
export function createReceiver(parts: ReceiverParts): (name: string, args: readonly unknown[]) => void {
  const { topics, registry, retries, held } = parts;
  const handlers: Record<string, (first: unknown, second: unknown, third: unknown) => void> = {
    messages(topic, epoch, batch) {
      if (!isEpoch(epoch)) return;
      const messages = readMessages(batch);
      for (const wire of topics.subscribed(topic)) wire.messages(epoch, messages);
    },
    positions(list) {
      for (const position of positionsOf(list)) for (const wire of topics.subscribed(position.topic)) wire.position(position);
    },
    resync(list, how) {
      const spread = asObject(how)?.spread;
      for (const position of positionsOf(list)) for (const wire of topics.subscribed(position.topic)) wire.resync(position, spread);
    },
    tickets(list) {
      for (const [id, ticket] of Array.isArray(list) ? (list as [unknown, unknown][]) : []) {
        const wire = registry.byId(id);
        if (typeof ticket !== "string") continue;
        if (id === null) parts.onTicket(ticket);
        else if (wire?.status === "subscribed") wire.ticket = ticket;
      }
    },
    subscribed: (event) => held.subscribed(asObject(event) ?? {}),
    unsubscribed(event) {
      const source = asObject(event) ?? {};
      const wire = registry.byId(source.id);
      if (wire === undefined) held.unsubscribed(source);
      else if (wire.status === "subscribed") retries.ended(wire, new ClientError(source.error));
    },
    expiring: (event) => parts.onExpiring(asObject(event) ?? {}),
    presence(topic, change) {
      if (typeof topic === "string") parts.onPresence(topic, asObject(change) ?? {});
    },
  };
  return (name, args) => {
    if (Object.hasOwn(handlers, name)) handlers[name]?.(args[0], args[1], args[2]);
  };
}

function positionsOf(list: unknown): TopicPosition[] {
  if (!Array.isArray(list)) return [];
  return list.filter((item: unknown) => {
    const source = asObject(item);
    return isEpoch(source?.epoch) && isOffset(source.offset);
  });
}

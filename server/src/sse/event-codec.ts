import type { ServerSubscribed, TopicPosition, WireError } from "@bellwire/protocol";
import { stringifyRaw } from "../wire/raw-json.js";
import { codecNumber, type Codec } from "../wire/wire.js";

/** A message with the lines of its event, but for the id: that is each connection's own. */
export interface MessageLines {
  readonly offset: number;
  readonly lines: string;
}

/** What an event stream may be told; some of it shows on the stream only in part, or not at all. */
export type EventFrame =
  | { readonly kind: "messages"; readonly topic: string; readonly epoch: string; readonly messages: readonly MessageLines[] }
  | { readonly kind: "positions"; readonly list: readonly TopicPosition[] }
  | { readonly kind: "resync"; readonly list: readonly TopicPosition[]; readonly lines: string }
  | { readonly kind: "subscribed"; readonly subscribed: ServerSubscribed }
  | { readonly kind: "unsubscribed"; readonly unsubscribed: Unsubscribed; readonly lines: string }
  | { readonly kind: "draining" }
  | { readonly kind: "lines"; readonly lines: string }
  | { readonly kind: "nothing" };

export interface Unsubscribed {
  readonly id: string;
  readonly topic: string;
  readonly filter: object;
  readonly error: WireError;
}

const NOTHING: EventFrame = { kind: "nothing" };

/** The lines of an event. @param data JSON text, which may hold line breaks between its tokens only */
export function linesOf(event: string, data: string): string {
  // A line of data must not break; where JSON allows a break it allows a space.
  return `event: ${event}\ndata: ${/[\r\n]/.test(data) ? data.replace(/[\r\n]/g, " ") : data}\n`;
}

/** @param text the data's JSON text, as it was published */
export function messageLines(topic: string, epoch: string, offset: number, time: number, text: string): string {
  // Names of topics and epochs hold nothing that JSON would write otherwise.
  return linesOf("message", `{"topic":"${topic}","epoch":"${epoch}","offset":${offset},"time":${time},"data":${text}}`);
}

export function resyncLines(topics: readonly TopicPosition[], how: { readonly spread: number; readonly cause: string }): string {
  const { spread, cause } = how;
  return linesOf("resync", JSON.stringify({ topics: topics.map(({ topic, epoch, offset }) => ({ topic, epoch, offset })), spread, cause }));
}

/** Everything as server-sent events, as far as there are events for it. */
export const eventCodec: Codec = {
  number: codecNumber(),
  messages({ topic, epoch, messages }): EventFrame {
    const lines = messages.map(({ offset, time, text }) => ({ offset, lines: messageLines(topic, epoch, offset, time, text) }));
    return { kind: "messages", topic, epoch, messages: lines };
  },
  positions: (_site, list): EventFrame => ({ kind: "positions", list }),
  resync: (_site, list, how): EventFrame => ({ kind: "resync", list, lines: resyncLines(list, how) }),
  event(_site, name, args): EventFrame {
    switch (name) {
      case "hello":
        return { kind: "lines", lines: linesOf("hello", stringifyRaw(args[0])) };
      case "subscribed":
        return { kind: "subscribed", subscribed: args[0] as ServerSubscribed };
      case "unsubscribed": {
        const unsubscribed = args[0] as Unsubscribed;
        const { topic, filter, error } = unsubscribed;
        return { kind: "unsubscribed", unsubscribed, lines: linesOf("unsubscribed", JSON.stringify({ topic, filter, error })) };
      }
      case "draining":
        return { kind: "draining" };
      default:
        // Tickets, an end that is near, who is present: for clients that can answer, or asked.
        return NOTHING;
    }
  },
};

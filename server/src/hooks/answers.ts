import { EVENTS } from "./events.js";
import type { HookEvent, HookQuestions, HookReplies, PlainReplies } from "./plain.js";
import { answerOf, refusedFor } from "./replies.js";

/**
 * Reads what a function answered.
 * @throws BellwireError; Disconnected; BadReply
 */
export function readAnswer<Event extends HookEvent>(event: Event, answer: unknown, question: HookQuestions[Event]): HookReplies[Event] {
  if (event === "subscribe" && answer === false) throw refusedFor();
  return EVENTS[event].parse(answerOf(event === "subscribe" && answer === true ? {} : answer), question);
}

/** A reply as a function would have written it. */
export function asPlain<Event extends HookEvent>(event: Event, reply: HookReplies[Event]): PlainReplies[Event] {
  return EVENTS[event].plain?.(reply) ?? (reply as PlainReplies[Event]);
}

import { randomBytes } from "node:crypto";
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { parseFilter, type BellwireError, type ServerSubscribed, type TopicPosition } from "@bellwire/protocol";
import { fromWire } from "../connection/failure.js";
import type { Codec, Wire } from "../wire/wire.js";
import { textMessage, type Beginning, type TextMessage } from "./answer.js";
import { eventCodec, linesOf, messageLines, resyncLines, type EventFrame, type Unsubscribed } from "./event-codec.js";
import { Heard } from "./heard.js";
import { retryAfter, retryAtFirst, retryInDrain } from "./retry.js";

const HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store, no-transform",
  "x-accel-buffering": "no",
} as const;

/** How long a peer may take to read what was written before the end. */
const FAREWELL_MS = 2000;
const COMMENT = ":\n\n";

/** A client's event stream: the answer to its request, which does not end. */
export class EventWire implements Wire {
  readonly id: string = randomBytes(15).toString("base64url");
  readonly #response: ServerResponse;
  readonly #heard = new Heard();
  /** What was asked for has ended: the stream is nothing without it. */
  readonly #onEnded: (error: BellwireError) => void;
  #state: "before" | "open" | "ended" = "before";
  #sentId = "";
  /** What ended it before it began: to be answered in place of a stream. */
  refusal: BellwireError | undefined;

  constructor(response: ServerResponse, onEnded: (error: BellwireError) => void) {
    this.#response = response;
    // Of a peer that is gone: `close` says so too.
    response.on("error", () => undefined);
    this.#onEnded = onEnded;
  }

  get codec(): Codec {
    return eventCodec;
  }

  /** Why the connection ends, in Socket.IO's words. */
  get reason(): string {
    return this.#state === "ended" ? "server namespace disconnect" : "transport close";
  }

  /**
   * Begins the stream.
   * @param headers further ones
   * @param from where the client is; what it is told after that, an id must not say yet
   */
  begin(headers: OutgoingHttpHeaders, from: readonly TopicPosition[]): void {
    if (this.#state !== "before") return;
    this.#state = "open";
    for (const position of from) this.#heard.set(position.topic, position);
    this.#response.writeHead(200, { ...headers, ...HEADERS });
    this.#send(`retry: ${retryAtFirst(Math.random())}\n\n`);
  }

  /** Tells where the stream begins. @param spread milliseconds over which to refetch what needs it */
  answer(beginnings: readonly Beginning[], spread: number): number {
    let text = "";
    for (const { topic, position, messages } of beginnings) {
      if (position === undefined) continue;
      for (const message of messages) text += this.#message(topic, position.epoch, message);
      this.#heard.set(topic, position);
    }
    const lost = beginnings.flatMap(({ topic, position, resync }) => (resync && position !== undefined ? [{ topic, ...position }] : []));
    if (lost.length > 0) text += this.#event(resyncLines(lost, { spread, cause: "gap" }));
    // Also where it says nothing new: from here on everything is live.
    this.#sentId = "";
    return this.#send(text + this.#idAlone());
  }

  write(frame: EventFrame): number {
    switch (frame.kind) {
      case "messages":
        return this.#messages(frame);
      case "positions":
        for (const position of frame.list) this.#heard.raise(position.topic, position);
        return this.#send(this.#idAlone());
      case "resync":
        for (const position of frame.list) this.#heard.set(position.topic, position);
        return this.#send(this.#event(frame.lines));
      case "subscribed":
        return this.#subscribed(frame.subscribed);
      case "unsubscribed":
        return this.#unsubscribed(frame.unsubscribed, frame.lines);
      case "draining":
        return this.#send(`retry: ${retryInDrain(Math.random())}\n\n`);
      case "lines":
        return this.#send(this.#event(frame.lines));
      case "nothing":
        return 0;
    }
  }

  /** Says that the stream is alive. Answers as `write`. */
  comment(): number {
    return this.#send(COMMENT);
  }

  #messages({ topic, epoch, messages }: EventFrame & { kind: "messages" }): number {
    let text = "";
    for (const { offset, lines } of messages) {
      if (this.#heard.raise(topic, { epoch, offset })) text += this.#event(lines);
    }
    return this.#send(text);
  }

  #message(topic: string, epoch: string, { offset, time, text }: TextMessage): string {
    this.#heard.set(topic, { epoch, offset });
    return this.#event(messageLines(topic, epoch, offset, time, text));
  }

  /** What the server has subscribed. Of a topic that is heard already nothing can be told that is older than what was. */
  #subscribed({ topic, filter, epoch, offset, messages, resync, spread = 0 }: ServerSubscribed): number {
    if (epoch === "") return 0; // a resync follows
    const position = { epoch, offset };
    const late = !resync && messages.some((message) => !this.#heard.isNew(topic, epoch, message[0]));
    let text = "";
    if (!resync && !late) for (const message of messages) text += this.#message(topic, epoch, textMessage(message));
    this.#heard.set(topic, position);
    this.#heard.hold(topic, parseFilter(filter).canonical);
    if (resync || late) text += this.#event(resyncLines([{ topic, ...position }], { spread, cause: "gap" }));
    // Not its id alone, which a page never sees.
    return this.#send(text + this.#event(linesOf("subscribed", JSON.stringify({ topic, filter, epoch, offset }))));
  }

  #unsubscribed({ id, topic, filter, error }: Unsubscribed, lines: string): number {
    if (id.startsWith("$")) {
      this.#heard.release(topic, parseFilter(filter).canonical);
      return this.#send(`${lines}\n`);
    }
    this.#onEnded(fromWire(error));
    return 0;
  }

  /** An event with where that leaves the client. */
  #event(lines: string): string {
    this.#sentId = this.#heard.id;
    return `id: ${this.#sentId}\n${lines}\n`;
  }

  /** An id without an event, where it says something new: nothing is dispatched for it. */
  #idAlone(): string {
    const { id } = this.#heard;
    if (id === this.#sentId) return "";
    this.#sentId = id;
    return `id: ${id}\n\n`;
  }

  #send(text: string): number {
    if (this.#state !== "open") return 0;
    if (text !== "") this.#response.write(text);
    return this.#response.writableLength;
  }

  bye(error: BellwireError): void {
    if (this.#state === "ended") return;
    if (this.#state === "before") {
      this.#state = "ended";
      this.refusal = error;
      return;
    }
    this.#send(`retry: ${retryAfter(error, Math.random())}\n${linesOf("bye", JSON.stringify(error))}\n`);
    this.#state = "ended";
    this.#response.end();
    setTimeout(() => this.#response.destroy(), FAREWELL_MS).unref();
  }

  drop(): void {
    this.#state = "ended";
    this.#response.destroy();
  }
}

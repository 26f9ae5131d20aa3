import { request, type ClientRequest, type IncomingMessage } from "node:http";
import { EventReader } from "../../support/event-reader.js";
import { connectToken } from "../../support/tokens.js";
import { matches } from "../checker.js";
import { epochOf, type ClientRecord, type SubscriptionRecord } from "../record.js";
import type { ClientPlan } from "./client-plan.js";

/** A relay says something every 15 s. */
const SILENCE_MS = 20_000;
/** Quick, so that a round is not spent on waiting. */
const LONGEST_WAIT_MS = 1000;

interface Told {
  readonly topic: string;
  readonly epoch: string;
  readonly offset: number;
  readonly time: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * A client of server-sent events, from the contract alone. A stream names no subscription: a message is heard by each one of its topic
 * that matches, and by all of them where none does, so that the checker finds it.
 */
export class EventClient {
  readonly #plan: ClientPlan;
  readonly #record: ClientRecord;
  readonly #held: readonly SubscriptionRecord[];
  #request: ClientRequest | undefined;
  #reader = new EventReader();
  #first = true;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(plan: ClientPlan, record: ClientRecord, held: readonly SubscriptionRecord[]) {
    this.#plan = plan;
    this.#record = record;
    this.#held = held;
    this.#connect();
  }

  #state(state: string): void {
    this.#record.states.push({ state, at: Date.now() });
  }

  #connect(): void {
    const { site, url, appKey, client, recovery, subscriptions } = this.#plan;
    this.#state("connecting");
    const { id } = this.#reader;
    this.#reader = new EventReader();
    if (recovery) this.#reader.id = id;
    const items = subscriptions.flatMap(({ topic, filter, replay }, i) =>
      this.#held[i]?.ended === undefined ? [{ topic, filter, replay: replay && this.#first }] : [],
    );
    const claims = { site, sub: client, sid: `session of ${client}`, grants: [{ topic: "*" }] };
    const query = new URLSearchParams({ subscribe: JSON.stringify(items), token: connectToken(appKey, claims) });
    const headers = this.#reader.id === "" ? {} : { "last-event-id": this.#reader.id };
    // Its own connection each time, as after any loss of one.
    const asked = request(`${url.replace("ws:", "http:")}/v1/sites/${site}/events?${query.toString()}`, { headers, agent: false });
    this.#request = asked;
    const over = (why: string): void => {
      if (this.#request === asked) this.#lost(why);
    };
    asked.setTimeout(SILENCE_MS, () => over("silence"));
    asked.on("error", (error) => over(error.message));
    asked.on("response", (response: IncomingMessage) => {
      response.setEncoding("utf8");
      response.on("error", (error) => over(error.message));
      response.on("close", () => over("the end of the stream"));
      if (response.headers["content-type"] !== "text/event-stream") {
        response.on("data", (text: string) => over(`${response.statusCode} ${text}`));
        return;
      }
      response.on("data", (text: string) => {
        if (this.#request === asked) for (const { event, data } of this.#reader.read(text)) this.#hear(event, data);
      });
    });
    asked.end();
  }

  #hear(event: string, data: string): void {
    if (data === "") return;
    const at = Date.now();
    if (event === "hello") {
      this.#first = false;
      this.#state("connected");
      for (const record of this.#held) record.confirmed ??= at;
    } else if (event === "message") {
      const { topic, epoch: told, offset, time, data: content } = JSON.parse(data) as Told;
      const epoch = epochOf(told);
      const ofTopic = this.#held.filter((record) => record.topic === topic);
      const matching = ofTopic.filter(({ filter }) => matches(filter, content));
      for (const record of matching.length > 0 ? matching : ofTopic) {
        if (record.ended !== undefined) continue;
        record.heard.push({ kind: "message", at, topic, epoch, offset, time, data: content, replay: false });
      }
    } else if (event === "resync") {
      const { topics } = JSON.parse(data) as { topics: { topic: string }[] };
      for (const { topic } of topics) {
        for (const record of this.#held) {
          if (record.topic === topic && record.ended === undefined) record.heard.push({ kind: "resync", at, topic });
        }
      }
    }
  }

  #lost(why: string): void {
    if (this.#closed) return;
    this.#record.errors.push(`${Date.now()} ${why}`);
    if (this.#record.errors.length > 50) this.#record.errors.shift();
    this.#leave();
    this.#state("waiting");
    const { retry = LONGEST_WAIT_MS } = this.#reader;
    this.#timer = setTimeout(() => this.#connect(), Math.min(retry, LONGEST_WAIT_MS));
  }

  #leave(): void {
    const left = this.#request;
    this.#request = undefined;
    left?.destroy();
    clearTimeout(this.#timer);
  }

  /** Ends one subscription: a stream can't be told so, and the next one is asked for without it. */
  end(index: number): void {
    const record = this.#held[index];
    if (record !== undefined) record.ended ??= Date.now();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#leave();
    this.#state("closed");
  }
}

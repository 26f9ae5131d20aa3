import { Tally, type Metrics } from "./metrics.js";

/** What a relay counts. Plain numbers, so that counting costs nothing on the way of a message; `/metrics` reads them when asked. */
export class Stats {
  heard = 0;
  deliveries = 0;
  gaps = 0;
  resyncs = 0;
  garbage = 0;
  earlyDropped = 0;
  /** Over HTTP. */
  published = 0;
  publishFailures = 0;
  /** By clients, over their sockets. */
  clientPublishes = 0;
  clientPublishFailures = 0;
  slow = 0;
  /** Errors answered to clients, by code. */
  readonly refused: Tally = new Tally();
  /** Subscriptions refused within a frame that was taken, by code. */
  readonly refusedSubscriptions: Tally = new Tally();
  /** Errors answered over HTTP, by code. */
  readonly refusedRequests: Tally = new Tally();
  /** Handshakes that Socket.IO's engine refused, by its own reasons. */
  readonly refusedHandshakes: Tally = new Tally();
  readonly #hooks = new Tally();

  constructor(metrics?: Metrics) {
    metrics?.counter("messages_heard", "Messages that came over channels", () => this.heard);
    metrics?.counter("deliveries", "Frames with messages written to sockets", () => this.deliveries);
    metrics?.counter("gaps", "Breaks in a topic's offsets that were noticed", () => this.gaps);
    metrics?.counter("resyncs", "Times a topic's subscribers were told to refetch", () => this.resyncs);
    metrics?.counter("garbage", "Payloads and log entries that were no messages", () => this.garbage);
    metrics?.counter("early_dropped", "Messages dropped while a log was read, and read from it again", () => this.earlyDropped);
    metrics?.counter("published", "Messages published over HTTP", () => this.published);
    metrics?.counter("publish_failures", "Publishes over HTTP that failed", () => this.publishFailures);
    metrics?.counter("client_published", "Messages published by clients", () => this.clientPublishes);
    metrics?.counter("client_publish_failures", "Publishes by clients that failed", () => this.clientPublishFailures);
    metrics?.counter("slow_closes", "Sockets closed because they did not read", () => this.slow);
    metrics?.counters("refusals", "Errors answered to clients, by code", ["code"], () => this.refused);
    metrics?.counters("subscription_refusals", "Subscriptions refused one by one, by code", ["code"], () => this.refusedSubscriptions);
    metrics?.counters("http_refusals", "Errors answered over HTTP, by code", ["code"], () => this.refusedRequests);
    metrics?.counters(
      "handshake_refusals",
      "Handshakes refused before any site is known, by reason",
      ["reason"],
      () => this.refusedHandshakes,
    );
    metrics?.counters("hook_questions", "Questions to backends, by event and outcome", ["event", "outcome"], () => this.#hooks);
  }

  refuse(code: string): void {
    this.refused.add(code);
  }

  /** What happened to a feed. */
  observe(event: "gap" | "resync" | "invalid" | "overflow"): void {
    if (event === "gap") this.gaps++;
    else if (event === "resync") this.resyncs++;
    else if (event === "overflow") this.earlyDropped++;
    else this.garbage++;
  }

  /** A question to a backend. */
  countHook(event: string, outcome: string): void {
    this.#hooks.add(event, outcome);
  }
}

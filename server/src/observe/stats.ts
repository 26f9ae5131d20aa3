/** What a relay counts. Plain numbers, so that counting costs nothing on the way of a message; `/metrics` reads them when asked. */
export class Stats {
  /** Messages heard on channels. */
  heard = 0;
  /** Frames written to sockets by deliveries. */
  deliveries = 0;
  gaps = 0;
  resyncs = 0;
  /** Payloads and entries that were no messages. */
  garbage = 0;
  /** Over HTTP. */
  published = 0;
  publishFailures = 0;
  /** By clients, over their sockets. */
  clientPublishes = 0;
  clientPublishFailures = 0;
  /** Sockets closed because they could not keep up. */
  slow = 0;
  /** Errors answered to clients, by code. */
  readonly refused: Map<string, number> = new Map();

  refuse(code: string): void {
    this.refused.set(code, (this.refused.get(code) ?? 0) + 1);
  }

  /** What happened to a feed. */
  observe(event: "gap" | "resync" | "invalid"): void {
    if (event === "gap") this.gaps++;
    else if (event === "resync") this.resyncs++;
    else this.garbage++;
  }

  /** Questions to backends, by event and outcome as `event outcome`. */
  readonly hooks: Map<string, number> = new Map();

  countHook(event: string, outcome: string): void {
    const name = `${event} ${outcome}`;
    this.hooks.set(name, (this.hooks.get(name) ?? 0) + 1);
  }
}

import { randomUUID } from "node:crypto";
import type { Position } from "@bellwire/protocol";
import type { Publication } from "@bellwire/emitter/internal";

export interface ProbeOptions {
  readonly relay: string;
  readonly append: (publication: Publication, timeout: number) => Promise<Position>;
  readonly channel: (site: string, topic: string) => string;
  /** The probe went in and did not come out. */
  readonly onDeaf: () => void;
}

const EVERY_MS = 5000;
const HEARD_WITHIN_MS = 4000;
// No site has this name, so no client and no backend can reach the probe's log.
const PROBE_SITE = "$probe";

/**
 * Finds a subscriber connection that is open and deaf: appends a marker through the ordinary script and waits for it on the
 * channel. A demoted master, for one, still answers everything and brings nothing.
 */
export class Probe {
  readonly channelName: string;
  readonly #options: ProbeOptions;
  #timer: NodeJS.Timeout | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #awaited: string | undefined;

  constructor(options: ProbeOptions) {
    this.#options = options;
    this.channelName = options.channel(PROBE_SITE, options.relay);
  }

  start(): void {
    this.stop();
    this.#timer = setInterval(() => this.#send(), EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#deadline);
    this.#awaited = undefined;
  }

  heard(payload: string): void {
    if (this.#awaited === undefined || !payload.includes(this.#awaited)) return;
    this.#awaited = undefined;
    clearTimeout(this.#deadline);
  }

  #send(): void {
    const id = randomUUID();
    const { append, relay, onDeaf } = this.#options;
    this.#awaited = id;
    append({ site: PROBE_SITE, topic: relay, data: "{}", id, idempotent: false, retry: false }, EVERY_MS).then(
      () => {
        if (this.#awaited !== id) return;
        clearTimeout(this.#deadline);
        this.#deadline = setTimeout(onDeaf, HEARD_WITHIN_MS);
        this.#deadline.unref();
      },
      () => {
        // The log can't be written: the commands' connection tells of that; it says nothing about channels.
        if (this.#awaited === id) this.#awaited = undefined;
      },
    );
  }
}

import type { BellwireError, Code } from "@bellwire/protocol";

/** What clients were refused, as one line of a log says it. */
export interface RefusalCount {
  /** Undefined: those that there was no room to tell apart. */
  readonly site: string | undefined;
  readonly what: "connection" | "subscription" | "question" | "notice";
  readonly code: Code;
  readonly count: number;
}

export interface RefusalsOptions {
  readonly say: (message: string, fields: RefusalCount) => void;
  /** Milliseconds that one line speaks of. Default a minute. */
  readonly every?: number | undefined;
}

const EVERY_MS = 60_000;
// Sites are named by strangers, so their number is bounded; whoever names many gets one line for all of the rest.
const MOST = 50;
// Every deployment ends with the one, and a client that slept returns with the other: nobody has to do anything.
const EXPECTED: readonly Code[] = ["draining"];
const EXPECTED_MESSAGES: readonly string[] = ["The ticket has expired"];
const LONGEST = 300;

interface Entry {
  readonly site: string | undefined;
  readonly what: RefusalCount["what"];
  readonly code: Code;
  count: number;
  /** Of the last one. */
  message: string;
  lastSite: string;
}

/**
 * Tells whoever runs the relay why clients are refused: the first of a site, kind and code at once, then how many in each minute
 * until there are none. Never with a token, nor with a text that one holds.
 */
export class RefusalLog {
  readonly #options: RefusalsOptions;
  readonly #entries = new Map<string, Entry>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RefusalsOptions) {
    this.#options = options;
  }

  /** @param site a valid name, whether or not there is such a site */
  refused(site: string, what: RefusalCount["what"], error: BellwireError): void {
    const { code } = error;
    if (EXPECTED.includes(code) || EXPECTED_MESSAGES.includes(error.message)) return;
    const own = `${what} ${code} ${site}`;
    const name = this.#entries.has(own) || this.#entries.size < MOST ? own : `${what} ${code}`;
    const entry = this.#entries.get(name);
    if (entry !== undefined) {
      entry.count++;
      entry.message = error.message;
      entry.lastSite = site;
      return;
    }
    const first = { site: name === own ? site : undefined, what, code, message: error.message, lastSite: site };
    this.#entries.set(name, { ...first, count: 0 });
    this.#say({ ...first, count: 1 }, "");
    this.#timer ??= setInterval(() => this.#flush(), this.#options.every ?? EVERY_MS).unref();
  }

  #flush(): void {
    for (const [name, entry] of this.#entries) {
      if (entry.count === 0) this.#entries.delete(name);
      else this.#say(entry, " in the last minute");
      entry.count = 0;
    }
    if (this.#entries.size === 0) this.#stop();
  }

  #say({ site, what, code, count, message, lastSite }: Entry, when: string): void {
    const whose = site === undefined ? `further sites, ${lastSite} the last` : `site ${site}`;
    const whats = count === 1 ? what : `${what}s`;
    this.#options.say(`${whose}: ${count} ${whats} refused with ${code}${when}: ${withoutTexts(message)}`, { site, what, code, count });
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Says what is still to be said. */
  close(): void {
    this.#flush();
    this.#stop();
  }
}

/** Without what stands in quotes: that is what a token or request said. */
function withoutTexts(message: string): string {
  return message.replace(/"(?:[^"\\]|\\.)*"/g, '"…"').slice(0, LONGEST);
}

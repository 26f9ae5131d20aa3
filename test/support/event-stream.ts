import { EventReader } from "./event-reader.js";
import { connectToken } from "./tokens.js";

export interface StreamEvent {
  readonly event: string;
  /** The newest id so far, as a browser keeps it. */
  readonly id: string;
  readonly data: Record<string, unknown>;
  /** As it stands on the stream. */
  readonly text: string;
}

export interface Message {
  readonly topic: string;
  readonly epoch: string;
  readonly offset: number;
  readonly time: number;
  readonly data: Record<string, unknown>;
}

export interface StreamOptions {
  readonly url: string;
  readonly appKey: string;
  readonly site?: string;
  readonly subscribe?: readonly object[];
  /** Of the connection token. */
  readonly claims?: object;
  /** Instead of one made from the claims; null: none. */
  readonly token?: string | null;
  readonly lastEventId?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
}

/** Server-sent events over `fetch`, read as the HTML standard says. */
export class EventStream {
  readonly response: Response;
  readonly events: StreamEvent[] = [];
  readonly #reader = new EventReader();
  /** Resolves when the stream has ended, in whatever way. */
  readonly ended: Promise<void>;
  readonly #abort: AbortController;
  readonly #waiting = new Set<() => void>();
  static async open(options: StreamOptions): Promise<EventStream> {
    const { url, appKey, site = "5", subscribe, claims = {}, lastEventId, headers = {}, query = {} } = options;
    const token = options.token === undefined ? connectToken(appKey, { site, ...claims }) : options.token;
    const search = new URLSearchParams({ ...(subscribe === undefined ? {} : { subscribe: JSON.stringify(subscribe) }), ...query });
    const abort = new AbortController();
    const response = await fetch(`${url}/v1/sites/${site}/events?${search.toString()}`, {
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
        ...headers,
      },
      signal: abort.signal,
    });
    return new EventStream(response, abort);
  }

  private constructor(response: Response, abort: AbortController) {
    this.response = response;
    this.#abort = abort;
    this.ended = this.#read().catch(() => undefined);
  }

  get isStream(): boolean {
    return this.response.headers.get("content-type") === "text/event-stream";
  }

  /** What a request was answered that got no stream. */
  async error(): Promise<{ code: string; message: string; retry: string }> {
    return ((await this.response.json()) as { error: { code: string; message: string; retry: string } }).error;
  }

  get lastEventId(): string {
    return this.#reader.id;
  }

  /** Every `retry` that came. */
  get retries(): readonly number[] {
    return this.#reader.retries;
  }

  get comments(): number {
    return this.#reader.comments;
  }

  get messages(): Message[] {
    return this.named("message") as unknown as Message[];
  }

  named(event: string): Record<string, unknown>[] {
    return this.events.filter((each) => each.event === event).map(({ data }) => data);
  }

  /** Waits until a condition on what was heard holds; it is looked at anew after each line. */
  until(condition: () => boolean, what: string, ms = 10_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (end: () => void): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        end();
      };
      const look = (): void => {
        if (condition()) settle(resolve);
      };
      const timer = setTimeout(() => settle(() => reject(new Error(`Not in ${ms} ms: ${what}: ${JSON.stringify(this.events)}`))), ms);
      this.#waiting.add(look);
      look();
    });
  }

  async #read(): Promise<void> {
    if (!this.isStream || this.response.body === null) return;
    const decoder = new TextDecoder();
    try {
      for await (const chunk of this.response.body) {
        for (const { event, data: text, id } of this.#reader.read(decoder.decode(chunk as Uint8Array, { stream: true }))) {
          if (text !== "") this.events.push({ event, id, data: JSON.parse(text) as Record<string, unknown>, text });
        }
        for (const look of this.#waiting) look();
      }
    } finally {
      for (const look of this.#waiting) look();
    }
  }

  close(): void {
    this.#abort.abort();
  }
}

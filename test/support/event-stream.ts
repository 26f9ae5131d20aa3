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
  /** Every `retry` that came. */
  readonly retries: number[] = [];
  comments = 0;
  lastEventId = "";
  /** Resolves when the stream has ended, in whatever way. */
  readonly ended: Promise<void>;
  readonly #abort: AbortController;
  readonly #waiting = new Set<() => void>();
  #event = "";
  #data: string[] = [];

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
    let rest = "";
    try {
      for await (const chunk of this.response.body) {
        const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split("\n");
        rest = lines.pop() as string;
        for (const line of lines) this.#line(line);
        for (const look of this.#waiting) look();
      }
    } finally {
      for (const look of this.#waiting) look();
    }
  }

  #line(line: string): void {
    if (line === "") return this.#dispatch();
    const [name = "", value = ""] = line.split(/: ?(.*)/s);
    if (name === "") this.comments++;
    else if (name === "event") this.#event = value;
    else if (name === "data") this.#data.push(value);
    else if (name === "id") this.lastEventId = value;
    else if (name === "retry") this.retries.push(Number(value));
    else throw new Error(`No field of an event: ${line}`);
  }

  #dispatch(): void {
    const [event, text] = [this.#event, this.#data.join("\n")];
    this.#event = "";
    this.#data = [];
    if (text === "") return;
    this.events.push({ event: event || "message", id: this.lastEventId, data: JSON.parse(text) as Record<string, unknown>, text });
  }

  close(): void {
    this.#abort.abort();
  }
}

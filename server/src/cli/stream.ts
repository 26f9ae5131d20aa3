import { asObject, parseWireError, type Filter, type Position, type WireError } from "@bellwire/protocol";
import { EventReader, type ServerEvent } from "./event-reader.js";
import { Failure, isAboutClocks } from "./failure.js";
import { reasonOf } from "./relay-answers.js";
import { eventsAddress, shownAddress } from "./settings.js";

export interface StreamMessage extends Position {
  readonly topic: string;
  readonly time: number;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface StreamOptions {
  /** The relay; a path is a prefix. */
  readonly url: URL;
  readonly site: string;
  /** What to hear; empty: what the token brings. */
  readonly subscribe: readonly { readonly topic: string; readonly filter: Filter; readonly replay: boolean }[];
  /** Asked for each attempt to connect: tokens live for a minute. */
  readonly mint: () => Promise<string>;
  /** @param replay whether it was there before the stream began */
  readonly onMessage?: (message: StreamMessage, replay: boolean) => void;
  readonly onResync?: (position: Position & { readonly topic: string }, cause: string) => void;
  /** Told of what goes on, in sentences: a connection lost, a refusal that time may heal. */
  readonly onTrouble?: (sentence: string) => void;
}

const ANSWER_MS = 10_000;
/** A relay says something every 15 s. */
const SILENCE_MS = 40_000;
const AGAIN_MS = 1000;

/**
 * Subscriptions as server-sent events, from the contract alone: it returns after a lost connection with the last id, and so hears
 * each message once or is told of a resync.
 */
export class Stream {
  /** Settles once: when the relay first confirms the subscriptions; rejects with a Failure where they can't come about. */
  readonly ready: Promise<void>;
  /** Resolves after `close`; rejects with a Failure where the stream ended for good. */
  readonly ended: Promise<void>;
  readonly #options: StreamOptions;
  readonly #reader = new EventReader();
  readonly #closed = new AbortController();
  #settleReady = (): void => undefined;
  #wasReady = false;
  #answered = false;

  constructor(options: StreamOptions) {
    this.#options = options;
    const ready = new Promise<void>((resolve) => (this.#settleReady = resolve));
    this.ended = this.#run();
    const closed = this.ended.then(() => Promise.reject(new Failure("Closed before the relay answered")));
    this.ready = Promise.race([ready, closed]);
    this.ready.catch(() => undefined); // perhaps only `ended` is looked at
    this.ended.catch(() => undefined);
  }

  get #isClosed(): boolean {
    return this.#closed.signal.aborted;
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const wait = await this.#connect();
      if (!this.#isClosed) await pause(wait, this.#closed.signal);
    }
  }

  /** One stream, from its request to its end. Resolves to the milliseconds after which to come back; rejects with a Failure. */
  async #connect(): Promise<number> {
    const token = await this.#options.mint().catch((error: unknown) => {
      throw new Failure(`No token could be signed: ${(error as Error).message}`);
    });
    const lost = new AbortController();
    let watch = setTimeout(() => lost.abort(), ANSWER_MS);
    try {
      const { id } = this.#reader;
      const response = await fetch(eventsAddress(this.#options.url, this.#options.site, this.#options.subscribe), {
        headers: { authorization: `Bearer ${token}`, ...(id === "" ? {} : { "last-event-id": id }) },
        redirect: "manual",
        signal: AbortSignal.any([this.#closed.signal, lost.signal]),
      });
      if (!(response.headers.get("content-type") ?? "").startsWith("text/event-stream")) return this.#refused(await refusalIn(response));
      this.#answered = true;
      const decoder = new TextDecoder();
      for await (const chunk of response.body ?? []) {
        clearTimeout(watch);
        watch = setTimeout(() => lost.abort(), SILENCE_MS);
        for (const event of this.#reader.read(decoder.decode(chunk as Uint8Array, { stream: true }))) this.#take(event);
      }
      if (!this.#isClosed) this.#options.onTrouble?.("The connection has ended: coming back");
    } catch (error) {
      if (error instanceof Failure) throw error;
      if (!this.#isClosed) this.#lost(lost.signal.aborted ? "no answer" : reasonOf(error));
    } finally {
      clearTimeout(watch);
    }
    return this.#reader.retry ?? AGAIN_MS;
  }

  #lost(reason: string): void {
    if (this.#answered) return this.#options.onTrouble?.(`The connection is lost (${reason}): coming back`);
    const address = shownAddress(this.#options.url);
    throw new Failure(`No relay answers at ${address} (${reason}): start one with bellwire serve, or set REALTIME_PUBLIC_URL`);
  }

  #take({ event, data, id }: ServerEvent): void {
    if (this.#isClosed) return;
    if (data === "") {
      // An id that stands alone: what was there before the stream is told.
      if (id === "") return;
      this.#wasReady = true;
      this.#settleReady();
      return;
    }
    const value = asObject(JSON.parse(data)) ?? {};
    if (event === "message") this.#options.onMessage?.(value as unknown as StreamMessage, !this.#wasReady);
    else if (event === "resync") {
      const { topics, cause } = value as unknown as { topics: (Position & { topic: string })[]; cause: string };
      for (const position of topics) this.#options.onResync?.(position, cause);
    } else if (event === "bye") this.#ended(parseWireError(value));
  }

  #ended(error: WireError): void {
    if (error.retry === "never") throw new Failure(wordsOf(error), error);
  }

  /** Resolves to when what may succeed later is tried again. @throws Failure */
  #refused(refusal: WireError): number {
    const { retry, after = AGAIN_MS } = refusal;
    if (retry === "never") throw new Failure(wordsOf(refusal), refusal);
    // A token that was signed a moment ago is no better the next time, unless it was good before.
    if (retry === "refresh" && !this.#answered) {
      const guess = isAboutClocks(refusal) ? "do this machine's clock and the relay's differ?" : "is this the relay's APP_KEY?";
      throw new Failure(`${wordsOf(refusal)} (${guess})`, refusal);
    }
    this.#options.onTrouble?.(`${wordsOf(refusal)}: trying again`);
    return after;
  }

  /** Idempotent; nothing is told afterwards. */
  close(): void {
    this.#closed.abort();
  }
}

async function refusalIn(response: Response): Promise<WireError> {
  const body = asObject(await response.json().catch(() => undefined));
  if (asObject(body?.error) !== undefined) return parseWireError(body?.error);
  const message = `Events are answered with status ${response.status}, and not by a relay: let the proxy pass /v1/sites/*/events on`;
  // Who answers in a relay's place may be there for a moment only, as in a deploy.
  return parseWireError({ code: response.status >= 500 ? "unavailable" : "not-found", message });
}

function wordsOf({ code, message }: WireError): string {
  return `${code}: ${message}`;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

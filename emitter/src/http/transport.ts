import { BellwireError, type Position } from "@bellwire/protocol";
import { NotSent } from "../attempts.js";
import type { Command } from "../control/command.js";
import { Turns } from "../control/turns.js";
import type { Publication, Transport } from "../transport.js";
import { batchSize, encodeMessage } from "./encode.js";
import { post, requestPublish } from "./request.js";

export interface HttpTransportOptions {
  /** A relay, or the balancer before several: `http(s)://` or `ws(s)://`, with an optional path as a prefix. */
  readonly url: string;
  readonly apiKey: string;
}

interface Waiting {
  readonly text: string;
  /** By `performance.now()`. */
  readonly deadline: number;
  readonly settled: () => boolean;
  readonly settle: (outcome: Position | BellwireError) => void;
}

/** What one site has to send. One request at a time keeps a site's messages in order, and gathers what comes meanwhile. */
interface Lane {
  waiting: Waiting[];
  sending: boolean;
}

// Requests under way, over all sites: each takes a socket. Commands have some of their own: they don't wait behind messages.
const MAX_REQUESTS = 32;
const MAX_COMMANDS = 16;

/** Publishes and tells commands over a relay's HTTP API; what one turn of the event loop publishes to a site travels together. */
export function createHttpTransport(options: HttpTransportOptions): Transport {
  return new HttpTransport(options);
}

class HttpTransport implements Transport {
  readonly #base: string;
  readonly #apiKey: string;
  readonly #lanes = new Map<string, Lane>();
  readonly #requests = new Set<AbortController>();
  readonly #commands = new Turns(MAX_COMMANDS);
  #pumping = false;
  #everReached = false;
  #closed = false;

  constructor({ url, apiKey }: HttpTransportOptions) {
    this.#base = baseOf(url);
    if (typeof apiKey !== "string" || !/^[\x21-\x7e]+$/.test(apiKey))
      throw new TypeError("apiKey is the relay's REALTIME_API_KEY: text without spaces");
    this.#apiKey = apiKey;
  }

  append(publication: Publication, timeout: number): Promise<Position> {
    if (this.#closed) return Promise.reject(gone());
    return new Promise((resolve, reject) => {
      let settled = false;
      const settle = (outcome: Position | BellwireError): void => {
        if (settled) return;
        settled = true;
        clearTimeout(timer);
        if (outcome instanceof BellwireError) reject(outcome);
        else resolve(outcome);
      };
      const timer = setTimeout(() => settle(new BellwireError("timeout", `The relay gave no answer within ${timeout} ms`)), timeout);
      const { site } = publication;
      let lane = this.#lanes.get(site);
      if (lane === undefined) this.#lanes.set(site, (lane = { waiting: [], sending: false }));
      const deadline = performance.now() + timeout;
      lane.waiting.push({ text: encodeMessage(publication), deadline, settle, settled: () => settled });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  #pump(): void {
    for (const [site, lane] of this.#lanes) {
      if (this.#requests.size >= MAX_REQUESTS) return;
      if (lane.sending) continue;
      lane.waiting = lane.waiting.filter((waiting) => !waiting.settled());
      if (lane.waiting.length === 0) this.#lanes.delete(site);
      else void this.#send(site, lane); // never rejects
    }
  }

  async #send(site: string, lane: Lane): Promise<void> {
    const batch = lane.waiting.splice(0, batchSize(lane.waiting.map(({ text }) => text.length)));
    const request = new AbortController();
    const latest = Math.max(...batch.map(({ deadline }) => deadline));
    const timer = setTimeout(() => request.abort(), Math.max(0, latest - performance.now()));
    lane.sending = true;
    this.#requests.add(request);
    try {
      const url = `${this.#base}/v1/sites/${site}/publish`;
      const outcomes = await requestPublish(
        url,
        this.#apiKey,
        batch.map(({ text }) => text),
        request.signal,
      );
      this.#everReached = true;
      batch.forEach(({ settle }, i) => settle(outcomes[i] as Position | BellwireError));
    } catch (error) {
      const failure = this.#failure(error);
      for (const { settle } of batch) settle(failure);
    }
    clearTimeout(timer);
    this.#requests.delete(request);
    lane.sending = false;
    // Back to the end of the line, behind the sites that waited.
    this.#lanes.delete(site);
    if (lane.waiting.length > 0) this.#lanes.set(site, lane);
    this.#pump();
  }

  /** Where a relay was there before, one that is not there now is starting anew: worth another attempt. */
  #failure(error: unknown): BellwireError {
    if (!(error instanceof BellwireError)) return new BellwireError("internal", "The request failed", { cause: error });
    if (!(error instanceof NotSent)) this.#everReached = true;
    else if (this.#everReached) return new BellwireError("unavailable", error.message, { cause: error });
    return error;
  }

  /** Commands about one target keep their order. */
  control(command: Command, timeout: number): Promise<void> {
    const { kind, site, ...body } = command;
    const { user, session, client } = command;
    const request = new AbortController();
    const timer = setTimeout(() => request.abort(), timeout);
    const send = async (): Promise<void> => {
      if (this.#closed) throw gone();
      if (request.signal.aborted) throw new BellwireError("timeout", `The relay gave no answer within ${timeout} ms`);
      this.#requests.add(request);
      try {
        await post(`${this.#base}/v1/sites/${site}/${kind}`, this.#apiKey, JSON.stringify(body), request.signal);
      } catch (error) {
        throw this.#failure(error);
      }
      this.#everReached = true;
    };
    return this.#commands.take(JSON.stringify([site, user, session, client]), send).finally(() => {
      clearTimeout(timer);
      this.#requests.delete(request);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { waiting } of this.#lanes.values()) for (const { settle } of waiting) settle(gone());
    this.#lanes.clear();
    for (const request of this.#requests) request.abort();
  }
}

function gone(): BellwireError {
  return new BellwireError("unavailable", "The emitter is closed");
}

function baseOf(url: string): string {
  const parsed = typeof url === "string" && URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^(http|ws)s?:$/.test(parsed.protocol)) {
    throw new TypeError(`url is a relay's address like http://127.0.0.1:6200, not ${JSON.stringify(url)}`);
  }
  return `${parsed.protocol.replace("ws", "http")}//${parsed.host}${parsed.pathname.replace(/\/+$/, "")}`;
}

import { backoff } from "@bellwire/emitter/time";
import { setTimeout as pause } from "node:timers/promises";
import { Agent } from "undici";
import { Limiter, QueueFull } from "../pacing/limiter.js";
import type { CallSettings } from "./settings.js";
import { Unanswered } from "./unanswered.js";

/** What an HTTP request of ours consists of. */
export interface OutgoingRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  /** By lower-case name; the first value of each. */
  readonly header: (name: string) => string | undefined;
  readonly text: string;
}

export const MAX_ANSWER_BYTES = 1_048_576;

const CONNECT_TIMEOUT_MS = 5000;
// Of a backend that doesn't say how long it keeps idle connections. Some close them after 2 s, and a question that is sent in that
// moment is lost.
const IDLE_MS = 1500;
const PAUSE_MS = { least: 50, most: 1000 } as const;
/** After a connection that failed, further questions are not tried for so long: they would cost a connection each to learn the same. */
const DOWN_MS = 100;
const LATE = Symbol("late");

/** The connections to all backends, kept alive between questions. Redirects are not followed. */
export function createAgent(): Agent {
  return new Agent({
    pipelining: 1,
    keepAliveTimeout: IDLE_MS,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    // Every question has its own end, which covers these.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxResponseSize: MAX_ANSWER_BYTES,
  });
}

/** One backend: so many questions at a time, each with an end and so many attempts. */
export class Backend {
  readonly #agent: Agent;
  readonly #settings: Pick<CallSettings, "timeout"> & { readonly retries: number };
  readonly #limiter: Limiter;
  /** Until when it counts as down, and why. */
  #down: { readonly until: number; readonly because: Unanswered } | undefined;

  constructor(agent: Agent, settings: CallSettings & { readonly retries: number }) {
    this.#agent = agent;
    this.#settings = settings;
    this.#limiter = new Limiter(settings.concurrency, settings.queue);
  }

  /**
   * Sends a request and reads all of its answer, whatever its status.
   * @param prepare makes the request, anew for each attempt
   * @throws Unanswered
   */
  async ask(prepare: () => OutgoingRequest): Promise<Answer> {
    const { timeout } = this.#settings;
    if (this.#down !== undefined && performance.now() < this.#down.until) throw this.#down.because;
    const end = new AbortController();
    const timer = setTimeout(() => end.abort(LATE), timeout);
    try {
      return await this.#limiter.run(() => this.#attempts(prepare, end.signal), end.signal);
    } catch (error) {
      if (end.signal.aborted) throw new Unanswered("timeout", `no answer within ${timeout} ms`, { cause: error });
      const unanswered = asUnanswered(error);
      if (isRefused(error)) this.#down = { until: performance.now() + DOWN_MS, because: unanswered };
      throw unanswered;
    } finally {
      clearTimeout(timer);
    }
  }

  async #attempts(prepare: () => OutgoingRequest, signal: AbortSignal): Promise<Answer> {
    for (let attempt = 0; ; attempt++) {
      const last = attempt >= this.#settings.retries;
      try {
        const answer = await this.#send(prepare(), signal);
        if (last || answer.status < 500) return answer;
      } catch (error) {
        if (last || signal.aborted || asUnanswered(error).outcome !== "unreachable" || this.#agent.destroyed) throw error;
      }
      await pause(backoff(attempt + 1, PAUSE_MS), undefined, { signal });
    }
  }

  async #send({ method, url, headers, body }: OutgoingRequest, signal: AbortSignal): Promise<Answer> {
    const response = await this.#agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers,
      signal,
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.body.text();
    return { status: response.statusCode, header: (name) => firstOf(response.headers[name]), text };
  }
}

/** Nobody listens there: no question was lost on the way, none came so far. */
function isRefused(error: unknown): boolean {
  return codeOf(error) === "ECONNREFUSED";
}

// What the network says of a backend that isn't there. Whoever asks can cause none of them, as they can a timeout, a connection that
// breaks under a question, or descriptors that run out.
const AWAY: ReadonlySet<unknown> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "ENOTFOUND",
  "EAI_AGAIN",
]);

/** The network's own word; where several addresses were tried, the last one's. */
function codeOf(error: unknown): unknown {
  const { cause, code } = error as { cause?: unknown; code?: unknown };
  return AWAY.has(code) ? code : (cause as { code?: unknown } | undefined)?.code;
}

function firstOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** What went wrong on the way. Whatever isn't known better was the connection. */
function asUnanswered(error: unknown): Unanswered {
  if (error instanceof Unanswered) return error;
  if (error instanceof QueueFull) return new Unanswered("overloaded", "too many questions wait for it already");
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (code === "UND_ERR_RES_EXCEEDED_MAX_SIZE") {
    return new Unanswered("invalid", `it is larger than ${MAX_ANSWER_BYTES} bytes`, { cause: error });
  }
  const detail = typeof code === "string" ? code : String(message);
  return new Unanswered("unreachable", detail, { cause: error, away: AWAY.has(codeOf(error)) });
}

import { backoff } from "@bellwire/emitter/time";
import { setTimeout as pause } from "node:timers/promises";
import { Agent } from "undici";
import type { Lane } from "../pacing/fair-queue.js";
import { NoTurn, SharedTurns } from "../pacing/shared-turns.js";
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

/** Whom a question is for: `[site, kind, connection]`. */
export type QuestionLane = Lane & { readonly length: 3 };

// What waits for all sites together, in queues of one.
const QUEUES = 10;

/**
 * One backend: so many questions at a time, each with an end and so many attempts. They have their turns by site, then by kind, then
 * by connection; one connection never has all of those under way, nor one site.
 */
export class Backend {
  readonly #agent: Agent;
  readonly #settings: Pick<CallSettings, "timeout"> & { readonly retries: number };
  readonly #turns: SharedTurns<unknown>;
  /** Until when it counts as down, and why. */
  #down: { readonly until: number; readonly because: Unanswered } | undefined;

  constructor(agent: Agent, settings: CallSettings & { readonly retries: number }) {
    const { concurrency, queue } = settings;
    const tenth = Math.floor(concurrency / 10);
    this.#agent = agent;
    this.#settings = settings;
    this.#turns = new SharedTurns({
      atOnce: [concurrency, concurrency - tenth, concurrency - tenth, concurrency - 2 * tenth],
      waiting: [queue * QUEUES, queue],
    });
  }

  /**
   * Lets somebody have a turn: what `run` does there is asked once for all that wait with the same key.
   * @param run told until when it may ask, in milliseconds of `performance.now()`
   * @throws Unanswered where there was no turn to be had; what `run` throws
   */
  async turn<Reply>(lane: QuestionLane, run: (end: number) => Promise<Reply>, key?: string): Promise<Reply> {
    const { timeout } = this.#settings;
    try {
      return (await this.#turns.take(lane, timeout, run, key)) as Reply;
    } catch (error) {
      if (!(error instanceof NoTurn)) throw error;
      if (error.why === "late") throw new Unanswered("timeout", `no turn within ${timeout} ms`, { unasked: true });
      throw new Unanswered("overloaded", "too many questions of the same site wait for it already", { unasked: true });
    }
  }

  /**
   * Sends a request and reads all of its answer, whatever its status.
   * @param prepare makes the request, anew for each attempt
   * @throws Unanswered
   */
  async ask(prepare: () => OutgoingRequest, end: number): Promise<Answer> {
    if (this.#down !== undefined && performance.now() < this.#down.until) throw this.#down.because;
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(LATE), Math.max(1, end - performance.now()));
    try {
      return await this.#attempts(prepare, over.signal);
    } catch (error) {
      if (over.signal.aborted) throw new Unanswered("timeout", `no answer within ${this.#settings.timeout} ms`, { cause: error });
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
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (code === "UND_ERR_RES_EXCEEDED_MAX_SIZE") {
    return new Unanswered("invalid", `it is larger than ${MAX_ANSWER_BYTES} bytes`, { cause: error });
  }
  const detail = typeof code === "string" ? code : String(message);
  return new Unanswered("unreachable", detail, { cause: error, away: AWAY.has(codeOf(error)) });
}

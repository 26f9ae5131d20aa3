import { BellwireError } from "@bellwire/protocol";

/**
 * How a question ended: `ok`; `refused`, by the backend; or without an answer: `timeout`, `unreachable` (no connection, or lost),
 * `failed` (500 and above), `overloaded` (too many wait already), `invalid` (an answer that can't be used), `internal`.
 */
export type Outcome = "ok" | "refused" | "timeout" | "unreachable" | "failed" | "overloaded" | "invalid" | "internal";

/** Told of each question that was asked, with the milliseconds it took. */
export type Observe = (event: string, outcome: Outcome, ms: number) => void;

type Failure = Exclude<Outcome, "ok" | "refused" | "internal">;

const WORDS: Readonly<Record<Failure, readonly [code: "timeout" | "unavailable" | "limit", message: string]>> = {
  timeout: ["timeout", "The backend did not answer in time"],
  unreachable: ["unavailable", "The backend can't be reached"],
  failed: ["unavailable", "The backend failed"],
  overloaded: ["limit", "Too many questions wait for the backend"],
  invalid: ["unavailable", "The backend's answer can't be used"],
};

const AFTER_MS = 1000;

/** A question that the backend did not answer, or not in a way that can be used. */
export class Unanswered extends BellwireError {
  readonly outcome: Failure;
  /** What happened, for whoever runs the relay. */
  readonly detail: string;
  /** Whether the network says that there is nobody: the one failure that whoever asks can't bring about. */
  readonly away: boolean;

  constructor(outcome: Failure, detail: string, more: { readonly after?: number; readonly cause?: unknown; readonly away?: boolean } = {}) {
    const [code, message] = WORDS[outcome];
    super(code, outcome === "invalid" ? `${message}: ${detail}` : message, {
      ...(outcome === "overloaded" ? { after: more.after ?? AFTER_MS } : {}),
      ...(more.cause === undefined ? {} : { cause: more.cause }),
    });
    this.outcome = outcome;
    this.detail = detail;
    this.away = more.away === true;
  }
}

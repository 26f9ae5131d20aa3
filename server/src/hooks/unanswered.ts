import { BellwireError } from "@bellwire/protocol";

/**
 * How a question ended: `ok`; `refused`, by the backend; or without an answer: `timeout`, `unreachable` (no connection, or lost),
 * `failed` (500 and above), `overloaded` (too many wait already), `limited` (the asker asks too often), `invalid` (an answer that can't be used), `internal`.
 */
export type Outcome = "ok" | "refused" | "timeout" | "unreachable" | "failed" | "overloaded" | "limited" | "invalid" | "internal";

/** Told of each question that was asked, with the milliseconds it took. */
export type Observe = (event: string, outcome: Outcome, ms: number) => void;

type Failure = Exclude<Outcome, "ok" | "refused" | "internal">;

const WORDS: Readonly<Record<Failure, readonly [code: "timeout" | "unavailable" | "limit", message: string]>> = {
  timeout: ["timeout", "The backend did not answer in time"],
  unreachable: ["unavailable", "The backend can't be reached"],
  failed: ["unavailable", "The backend failed"],
  overloaded: ["limit", "Too many questions wait for the backend"],
  limited: ["limit", "Too many questions at once: ask more slowly"],
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
  /** Whether this asker never had a turn, whatever became of others that ask the same. */
  readonly unasked: boolean;

  constructor(
    outcome: Failure,
    detail: string,
    more: { readonly after?: number; readonly cause?: unknown; readonly away?: boolean; readonly unasked?: boolean } = {},
  ) {
    const [code, message] = WORDS[outcome];
    super(code, outcome === "invalid" ? `${message}: ${detail}` : message, {
      ...(code === "limit" ? { after: more.after ?? AFTER_MS } : {}),
      ...(more.cause === undefined ? {} : { cause: more.cause }),
    });
    this.outcome = outcome;
    this.detail = detail;
    this.away = more.away === true;
    this.unasked = more.unasked === true;
  }
}

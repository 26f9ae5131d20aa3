/** What a receiver should do after an error: fix the request, get a new token, or try again later. */
export type Retry = "never" | "refresh" | "later";

export type Code =
  | "bad-request"
  | "unsupported"
  | "wrong-site"
  | "forbidden"
  | "not-found"
  | "too-large"
  | "rejected"
  | "token-missing"
  | "token-invalid"
  | "token-expired"
  | "revoked"
  | "limit"
  | "internal"
  | "unavailable"
  | "draining"
  | "timeout"
  | "slow";

/** Every code of the contract with its `retry` and HTTP status. `slow` only ever travels over sockets. */
export const codes: Readonly<Record<Code, { readonly retry: Retry; readonly status: number }>> = {
  "bad-request": { retry: "never", status: 400 },
  unsupported: { retry: "never", status: 400 },
  "wrong-site": { retry: "never", status: 403 },
  forbidden: { retry: "never", status: 403 },
  "not-found": { retry: "never", status: 404 },
  "too-large": { retry: "never", status: 413 },
  rejected: { retry: "never", status: 422 },
  "token-missing": { retry: "refresh", status: 401 },
  "token-invalid": { retry: "refresh", status: 401 },
  "token-expired": { retry: "refresh", status: 401 },
  revoked: { retry: "refresh", status: 403 },
  limit: { retry: "later", status: 429 },
  internal: { retry: "later", status: 500 },
  unavailable: { retry: "later", status: 503 },
  draining: { retry: "later", status: 503 },
  timeout: { retry: "later", status: 504 },
  slow: { retry: "later", status: 503 },
};

/** The backend's own words about a refusal, passed through untouched. */
export interface Reason {
  readonly code: string | number;
  readonly message?: string;
}

/** An error as it travels: in acks, in `err.data` of a connect error, in `bye` and in HTTP bodies. `after` is in milliseconds. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly retry: string;
  readonly after?: number;
  readonly reason?: Reason;
}

export interface ErrorDetail {
  /** Milliseconds to wait before the next attempt. */
  readonly after?: number;
  readonly reason?: Reason;
  readonly cause?: unknown;
}

/** The one error class of all packages. `message` is a sentence that says the remedy where there is one. */
export class BellwireError extends Error {
  override readonly name: string = "BellwireError";
  readonly code: Code;
  readonly after: number | undefined;
  readonly reason: Reason | undefined;

  constructor(code: Code, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.after = detail.after;
    this.reason = detail.reason;
  }

  get retry(): Retry {
    return codes[this.code].retry;
  }

  /** The HTTP status that goes with the code. */
  get status(): number {
    return codes[this.code].status;
  }

  toJSON(): WireError {
    return {
      code: this.code,
      message: this.message,
      retry: this.retry,
      ...(this.after === undefined ? {} : { after: this.after }),
      ...(this.reason === undefined ? {} : { reason: this.reason }),
    };
  }
}

export function isCode(value: unknown): value is Code {
  return typeof value === "string" && Object.hasOwn(codes, value);
}

/**
 * Reads an error that a peer sent, whatever its shape. An unknown code keeps its name and acts by its `retry`;
 * an unknown `retry` acts as `later`.
 */
export function parseWireError(value: unknown): WireError & { readonly retry: Retry } {
  const source = typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  const code = typeof source.code === "string" ? source.code : "internal";
  const retry = source.retry === "never" || source.retry === "refresh" || source.retry === "later" ? source.retry : undefined;
  return {
    code,
    message: typeof source.message === "string" ? source.message : code,
    retry: retry ?? (source.retry === undefined && isCode(code) ? codes[code].retry : "later"),
    ...(typeof source.after === "number" && source.after >= 0 ? { after: source.after } : {}),
    ...(typeof source.reason === "object" && source.reason !== null ? { reason: source.reason as Reason } : {}),
  };
}

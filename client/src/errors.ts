import { BellwireError, parseWireError, type Reason, type Retry } from "@bellwire/protocol";

/**
 * An error that the client tells of later: what a relay or the token endpoint answered, or a timeout.
 * Unlike BellwireError it keeps codes that this version doesn't know; those act by their `retry`.
 */
export class ClientError extends Error {
  override readonly name: string = "BellwireError";
  readonly code: string;
  readonly retry: Retry;
  /** Milliseconds to wait before the next attempt. */
  readonly after: number | undefined;
  /** The backend's own words. */
  readonly reason: Reason | undefined;
  /** Which subscriptions it is about; undefined: the connection, or a call. */
  readonly topic: string | undefined;

  /** @param source an error as it travels: `{code, message, retry?, after?, reason?}`; anything else reads as `internal` */
  constructor(source: unknown, cause?: unknown, topic?: string) {
    const error = parseWireError(source);
    super(error.message, cause === undefined ? undefined : { cause });
    this.topic = topic;
    this.code = error.code;
    this.retry = error.retry;
    this.after = error.after;
    this.reason = error.reason;
  }
}

/** The same, of one topic's subscriptions. */
export function errorOf(topic: string, error: ClientError): ClientError {
  return new ClientError({ ...error, message: error.message }, error.cause, topic);
}

/** Makes a ClientError of whatever was thrown; a foreign error is worth another try. */
export function toClientError(thrown: unknown, message: string): ClientError {
  if (thrown instanceof ClientError) return thrown;
  if (thrown instanceof BellwireError) return new ClientError(thrown.toJSON(), thrown);
  const detail = thrown instanceof Error && thrown.message !== "" ? `: ${thrown.message}` : "";
  return new ClientError({ code: "unavailable", message: message + detail }, thrown);
}

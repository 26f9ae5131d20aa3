import { BellwireError } from "@bellwire/protocol";

/**
 * What a failed Redis command means to its caller. Whatever may have been carried out is `unavailable`: the outcome is
 * unknown, and a retry with the same id finds out. A reply that says "refused" is `unavailable` too where time may heal it.
 */
export function redisFailure(error: unknown): BellwireError {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof BellwireError) return error;
  if (/^(WRONGTYPE|ERR |NOPERM|NOAUTH|WRONGPASS)/.test(message) && !/max number of clients/.test(message)) {
    return new BellwireError("internal", `Redis refused: ${message}`, { cause: error });
  }
  // ioredis says so of a command while it has no connection.
  const reason = message.startsWith("Stream isn't writeable") ? "there is no connection to it" : message;
  return new BellwireError("unavailable", `Redis can't be used right now: ${reason}`, { cause: error });
}

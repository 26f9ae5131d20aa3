import type { Publication } from "../transport.js";

/**
 * One message of the HTTP API as JSON text. The id always travels as an idempotency key: an attempt that was given up may still
 * wait in a stopped relay's socket, and go in after the retry that another relay took.
 */
export function encodeMessage({ topic, data, id, except, addressee }: Publication): string {
  const to = addressee === undefined ? { topic } : { [addressee.kind]: addressee.id };
  const rest = { ...to, idempotencyKey: id, ...(except === undefined ? {} : { except }) };
  // The data is JSON already: spliced in, not encoded anew.
  return `${JSON.stringify(rest).slice(0, -1)},"data":${data}}`;
}

const MAX_MESSAGES = 100;
// Well below what proxies take by default (nginx: 1 MiB). One larger message travels alone.
const MAX_LENGTH = 256 * 1024;

/** How many of the waiting messages, from the first, go into one request. At least 1 where there is one. */
export function batchSize(lengths: readonly number[]): number {
  let total = 0;
  let count = 0;
  for (const length of lengths) {
    total += length;
    if (count > 0 && (count === MAX_MESSAGES || total > MAX_LENGTH)) break;
    count++;
  }
  return count;
}

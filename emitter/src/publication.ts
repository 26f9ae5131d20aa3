/** What is published, and for whom. For the relay; not part of the public API. */
export * from "./personal.js";
export type * from "./transport.js";
export { parseKey } from "./key.js";
export { makePublication } from "./make-publication.js";
export { encodeData, parseExcept, parseIdempotencyKey } from "./message.js";

/** Bounds that the contract fixes for everybody. Lengths are in UTF-16 units unless named otherwise. */
export const limits = {
  /** Keys in one filter. */
  filterKeys: 8,
  /** Value combinations of one filter: the product of its arrays' lengths. */
  filterCombinations: 256,
  /** Length of one filter key. */
  filterKeyLength: 128,
  /** Length of one string value in a filter. */
  filterStringLength: 1024,
  /** Length of a filter's canonical form. */
  filterLength: 8192,
  /** Length of a subscription id. */
  idLength: 64,
  /** Length of an epoch. */
  epochLength: 32,
  /** UTF-8 bytes of a user or session id. */
  subjectBytes: 128,
  /** Length of a token or ticket. */
  tokenLength: 16_384,
  /** Grants, or subscriptions, in one token. */
  grants: 1000,
  /** Bytes of one message's data, by default. */
  dataBytes: 4096,
  /** Length of an idempotency key or a client id. */
  keyLength: 128,
} as const;

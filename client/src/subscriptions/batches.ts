/** Cuts a list, in order, into parts that keep within a number of items and a total length. Usually there is one. */
export function batches<Item>(items: readonly Item[], most: BatchLimits, lengthOf: (item: Item) => number): Item[][] {
  const parts: Item[][] = [];
  let length = 0;
  for (const item of items) {
    const own = lengthOf(item);
    let part = parts.at(-1);
    if (part === undefined || length + own > most.length || part.length >= most.count) {
      part = [];
      parts.push(part);
      length = 0;
    }
    part.push(item);
    length += own;
  }
  return parts;
}

export interface BatchLimits {
  readonly count: number;
  /** In characters, of whatever is counted. */
  readonly length: number;
}

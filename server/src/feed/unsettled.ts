import type { Position } from "@bellwire/protocol";

/**
 * Stands behind an epoch in the positions that clients are told while its failover may still cost messages. Clients hand positions
 * back as they got them, so whoever comes with it has not heard that the time is over, on whichever relay.
 */
const MARK = "~";

export function marked({ epoch, offset }: Position): Position {
  return { epoch: epoch + MARK, offset };
}

/** A client's position without the mark; undefined where it has none. */
export function unmarked({ epoch, offset }: Position): Position | undefined {
  return epoch.endsWith(MARK) ? { epoch: epoch.slice(0, -MARK.length), offset } : undefined;
}

import type { ClientRecord, Interval, Stranding } from "./record.js";

const PATIENCE = 10_000;

/** By when one client has to have heard something. */
export interface Deadlines {
  readonly patience: number;
  /** The moment from which the patience counts for a message of this time: that, or when the last thing that excuses a wait ended. */
  excused(from: number): number;
}

/** What excuses a wait of this client: faults, and its own absences. Each extends the patience where it began before that ran out. */
export function deadlines(client: ClientRecord, faults: readonly Interval[], strandings: readonly Stranding[]): Deadlines {
  const excuses = [
    ...faults,
    ...absences(client),
    ...strandings.filter((one) => one.client === client.client).map(({ from }) => stranded(client, from)),
  ]
    .map(({ from, to }) => ({ from, to: to ?? Infinity }))
    .sort((a, b) => a.from - b.from);
  return {
    patience: PATIENCE,
    excused(from) {
      let base = from;
      for (const excuse of excuses) {
        if (excuse.from > base + PATIENCE) break;
        base = Math.max(base, excuse.to);
      }
      return base;
    },
  };
}

/** When the client knew that it had no connection. */
export function absences({ states }: ClientRecord): Interval[] {
  const found: Interval[] = [];
  let from: number | undefined;
  for (const { state, at } of states) {
    if (state === "connected") {
      if (from !== undefined) found.push({ kind: "away", from, to: at });
      from = undefined;
    } else from ??= at;
  }
  if (from !== undefined) found.push({ kind: "away", from, to: undefined });
  return found;
}

function stranded({ states }: ClientRecord, from: number): Interval {
  const back = states.find(({ state, at }) => state === "connected" && at > from);
  return { kind: "stranded", from, to: back?.at };
}

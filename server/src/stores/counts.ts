import { asObject } from "@bellwire/protocol";

/** What is open on one relay. */
export interface RelayCounts {
  readonly connections: number;
  readonly subscriptions: number;
  /** Sites with a connection there. */
  readonly sites: number;
  /** Topics that it listens to. */
  readonly feeds: number;
}

/** The sums over all relays that answered. A site or topic counts once for each relay that it is open on. */
export interface ClusterCounts extends RelayCounts {
  /** Relays that answered. */
  readonly relays: number;
  /** Relays that are connected and did not answer in time. */
  readonly missing: number;
}

const NAMES: readonly (keyof RelayCounts)[] = ["connections", "subscriptions", "sites", "feeds"];

/** Reads another relay's answer; undefined for what is none. */
export function parseCounts(value: unknown): RelayCounts | undefined {
  const source = asObject(value);
  if (source === undefined || !NAMES.every((name) => Number.isSafeInteger(source[name]) && (source[name] as number) >= 0)) return undefined;
  const { connections, subscriptions, sites, feeds } = source as unknown as RelayCounts;
  return { connections, subscriptions, sites, feeds };
}

/** @param missing relays that were asked and are not among them */
export function sumCounts(relays: readonly RelayCounts[], missing: number): ClusterCounts {
  const sum = (name: keyof RelayCounts): number => relays.reduce((total, counts) => total + counts[name], 0);
  return {
    relays: relays.length,
    missing,
    connections: sum("connections"),
    subscriptions: sum("subscriptions"),
    sites: sum("sites"),
    feeds: sum("feeds"),
  };
}

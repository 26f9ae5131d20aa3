import type { Fault, StoreKind } from "./faults/fault.js";
import type { Plan } from "./plan.js";
import type { Random } from "./random.js";
import { ClusterStore } from "./stores/cluster.js";
import { SentinelStore } from "./stores/sentinel.js";
import { SingleStore } from "./stores/single.js";
import type { Store } from "./stores/store.js";
import { World } from "./world.js";

export interface OpenOptions {
  readonly faults: readonly Fault[];
  readonly random: Random;
  /** Default: what the faults need. */
  readonly store?: StoreKind;
  readonly plan?: Plan;
  readonly relays?: number;
  /** Where haproxy is; it is started for faults that need it. */
  readonly haproxy?: string | undefined;
  readonly recovery?: boolean;
  /** Node's arguments for another relay than `bellwire serve`. */
  readonly program?: readonly string[];
}

/** Opens a world in which these faults can happen. */
export async function openWorld({ faults, haproxy, store = neededStore(faults), ...options }: OpenOptions): Promise<World> {
  const needs = new Set(faults.map((fault) => fault.needs));
  return World.open({
    store: await openStore(store),
    haproxy: needs.has("haproxy") ? haproxy : undefined,
    remote: needs.has("remote"),
    ...options,
  });
}

function neededStore(faults: readonly Fault[]): StoreKind {
  const kinds = faults.map((fault) => fault.store).find((kind) => kind !== "any" && kind !== "single");
  return (kinds as StoreKind | undefined) ?? "plain";
}

function openStore(kind: StoreKind): Promise<Store> {
  switch (kind) {
    case "plain":
      return SingleStore.start();
    case "append-only":
      return SingleStore.start(["--appendonly", "yes", "--appendfsync", "everysec"]);
    case "sentinel":
      return SentinelStore.start();
    case "cluster":
      return ClusterStore.start();
  }
}

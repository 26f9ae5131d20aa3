import type { SingleStore } from "../stores/single.js";
import type { Random } from "../random.js";
import type { World } from "../world.js";

/** The forms of Redis that a world can have. */
export type StoreKind = "plain" | "append-only" | "sentinel" | "cluster";

export interface FaultContext {
  readonly world: World;
  readonly random: Random;
  /** How long it lasts, in milliseconds. */
  readonly duration: number;
  /** Nothing else goes wrong meanwhile. */
  readonly alone: boolean;
}

/** Undoes a fault; once it resolves the world is whole again. */
export type Stop = () => Promise<void> | void;

/** One thing that goes wrong. */
export interface Fault {
  readonly kind: string;
  /** Ends the sentence "misses nothing when ...". */
  readonly when: string;
  /** The form of Redis that it needs; `single` is either of the two that are one server. */
  readonly store: StoreKind | "single" | "any";
  /** It takes clients in a process of their own, or a balancer. */
  readonly needs?: "remote" | "haproxy";
  /** What it breaks: faults that break the same thing do not overlap. */
  readonly breaks: "clients" | "relays" | "redis" | "network";
  /** Milliseconds, from and to: in the short round of the tests, and in the long one. */
  readonly short: readonly [number, number];
  readonly full: readonly [number, number];
  /** It takes long until anybody notices it. */
  readonly lasting?: boolean;
  /** Sockets stay open all the while. */
  readonly keepsSockets?: boolean;
  /** Begins it. What takes time here belongs to the fault too. */
  start(context: FaultContext): Promise<Stop>;
}

/** The one Redis of this world. */
export function single({ world }: FaultContext): SingleStore {
  return world.store as SingleStore;
}

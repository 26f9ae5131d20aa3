import { createRequire } from "node:module";

/** The Cluster slot, 0 to 16383, of a key or channel name. (The package is CommonJS and has no types.) */
export const slotOf: (name: string) => number = createRequire(import.meta.url)("cluster-key-slot") as (name: string) => number;

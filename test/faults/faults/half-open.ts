import type { Fault } from "./fault.js";

/** Half of the clients' connections lose every packet from now on, and nobody tells either end. New ones pass once it is over. */
export const halfOpen: Fault = {
  kind: "half-open clients",
  when: "clients' packets are dropped and no end hears of it",
  store: "any",
  breaks: "clients",
  lasting: true,
  short: [500, 3000],
  full: [1000, 30_000],
  async start({ world, random }) {
    const dark = random.some(world.callers, Math.ceil(world.callers.length / 2));
    for (const caller of dark) {
      caller.line.swallowAll(true);
      world.strand(caller);
    }
    return () => {
      for (const { line } of dark) line.swallowAll(false);
    };
  },
};

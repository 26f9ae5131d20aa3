import type { Fault } from "./fault.js";

/** Half of the clients lose their TCP connection and reach nothing for a while, then mostly another relay. */
export const lineCut: Fault = {
  kind: "line cut",
  when: "clients' connections are cut for a while",
  store: "any",
  breaks: "clients",
  short: [100, 3000],
  full: [100, 30_000],
  async start({ world, random }) {
    const cut = random.some(world.callers, Math.ceil(world.callers.length / 2));
    for (const { line } of cut) {
      line.refuse(true);
      line.cut();
      line.lead(random.integer(0, world.relays.length - 1));
    }
    return () => {
      for (const { line } of cut) line.refuse(false);
    };
  },
};

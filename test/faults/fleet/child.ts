/** A fleet in a process of its own, which can be stopped as a laptop sleeps. Talks to `remote.ts`. */
import type { ClientPlan } from "./client-plan.js";
import { Fleet } from "./fleet.js";

export type Order = { readonly add: ClientPlan } | { readonly end: [client: string, index: number] } | { readonly report: number };

const fleet = new Fleet();

process.on("message", (order: Order) => {
  if ("add" in order) fleet.add(order.add);
  else if ("end" in order) fleet.end(...order.end);
  else process.send?.({ report: order.report, record: fleet.record });
});
process.on("disconnect", () => process.exit(0));

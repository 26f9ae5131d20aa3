import { sleep } from "../random.js";
import type { SentinelStore } from "../stores/sentinel.js";
import type { Fault } from "./fault.js";

/**
 * The Sentinels promote a replica that lagged, while the old master is well and goes on answering: it learns of its demotion about
 * ten seconds later, and forgets then what only it knew.
 */
export const sentinelFailover: Fault = {
  kind: "Sentinel failover",
  when: "Sentinels promote a replica that lagged, and the demoted master still answers",
  store: "sentinel",
  breaks: "redis",
  short: [1000, 2000],
  full: [1000, 5000],
  keepsSockets: true,
  async start({ world, duration }) {
    const store = world.store as SentinelStore;
    const { replication, sentinels } = store;
    const before = await sentinels.master();
    replication.stall(true);
    await sleep(duration);
    await sentinels.failover();
    return async () => {
      await store.demoted(before);
      replication.stall(false);
    };
  },
};

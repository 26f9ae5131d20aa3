import { sleep } from "../random.js";
import type { ClusterStore } from "../stores/cluster.js";
import { logKey } from "../stores/entries.js";
import type { Fault } from "./fault.js";

/** A master dies, and after a while one of its replicas takes its slots over. */
export const clusterFailover: Fault = {
  kind: "Cluster failover",
  when: "a master of a Redis Cluster fails over",
  store: "cluster",
  breaks: "redis",
  short: [1000, 2000],
  full: [1000, 10_000],
  keepsSockets: true,
  async start({ world, random }) {
    const { cluster } = world.store as ClusterStore;
    const master = random.pick(await cluster.masters());
    const server = cluster.server(master.port);
    await server.kill("SIGKILL");
    return async () => {
      for (
        const end = Date.now() + 30_000;
        (await cluster.masters()).filter(({ port }) => port !== master.port).length < 3;
        await sleep(100)
      ) {
        if (Date.now() > end) throw new Error("No replica took over within 30 s");
      }
      await server.run();
      await cluster.agreed();
    };
  },
};

/** Slots move to another master without a word to those who listen there. */
export const slotMigration: Fault = {
  kind: "slot migration",
  when: "slots of a Redis Cluster migrate, with nothing published afterwards",
  store: "cluster",
  breaks: "redis",
  short: [500, 1000],
  full: [500, 3000],
  keepsSockets: true,
  async start({ world, random }) {
    const { cluster } = world.store as ClusterStore;
    const { sites, busy, quiet } = world.plan;
    const keys = sites.flatMap((site) =>
      [...random.some(quiet, Math.ceil(quiet.length / 2)), ...random.some(busy, 1)].map((topic) => logKey(site, topic)),
    );
    for (const key of keys) await cluster.migrate(await cluster.slotOf(key));
    return () => undefined;
  },
};

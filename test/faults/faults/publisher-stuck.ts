import { createEmitter } from "@bellwire/emitter";
import { Line } from "../line.js";
import { drawKeys } from "../plan.js";
import { sleep } from "../random.js";
import { single, type Fault } from "./fault.js";

/**
 * What a publisher sends stays somewhere on its way to Redis, several times. The publisher loses the connection and publishes
 * again over another one; then the first attempts arrive after all, behind their retries.
 */
export const publisherStuck: Fault = {
  kind: "stuck publisher",
  when: "publishes are stuck in a dying connection, and arrive after they were sent again",
  store: "single",
  breaks: "redis",
  short: [2000, 3000],
  full: [2000, 10_000],
  keepsSockets: true,
  async start(context) {
    const { world, random, duration } = context;
    const { ledger, plan } = world;
    const line = await Line.open({ targets: [single(context).redis.port] });
    const emitter = createEmitter({ redis: `redis://127.0.0.1:${line.port}`, onNoRelay: () => undefined, onError: () => undefined });
    const publish = async (): Promise<void> => {
      const publication = ledger.begin(random.pick(plan.sites), random.pick(plan.busy), drawKeys(random));
      const { site, topic } = publication.content;
      const place = await emitter
        .site(site)
        .publish(topic, publication.content)
        .catch(() => null);
      ledger.settle(publication, place ?? undefined);
    };
    const end = Date.now() + duration;
    while (Date.now() < end) {
      await publish();
      line.hold();
      const stuck = Promise.all(Array.from({ length: 10 }, publish));
      await sleep(random.integer(5, 100)); // for the write to get into the line
      line.giveUp();
      await stuck;
      line.release();
      await sleep(random.integer(0, 100));
    }
    return async () => {
      await emitter.close();
      line.close();
    };
  },
};

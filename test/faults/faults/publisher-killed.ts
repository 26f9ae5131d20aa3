import { drawKeys } from "../plan.js";
import { KillablePublisher } from "../publish/killable.js";
import { sleep } from "../random.js";
import { single, type Fault } from "./fault.js";

/** A publisher is killed with publishes under way, several times; each time another process publishes anew what had no answer. */
export const publisherKilled: Fault = {
  kind: "publisher SIGKILL",
  when: "a publisher is killed in the middle of a publish, and another process publishes again",
  store: "single",
  breaks: "redis",
  short: [3000, 4000],
  full: [3000, 15_000],
  keepsSockets: true,
  async start(context) {
    const { world, random, duration } = context;
    const publisher = new KillablePublisher(world.ledger, single(context).redis.url);
    const end = Date.now() + duration;
    while (Date.now() < end) {
      await publisher.start();
      // Long enough for the process to get to work, and then some.
      for (let i = 0; i < 10; i++) publisher.publish(random.pick(world.plan.sites), random.pick(world.plan.busy), drawKeys(random));
      for (const limit = Date.now() + 10_000; publisher.unanswered >= 10 && Date.now() < limit;) await sleep(5);
      for (let i = 0; i < 30; i++) publisher.publish(random.pick(world.plan.sites), random.pick(world.plan.busy), drawKeys(random));
      await sleep(random.integer(0, 15));
      await publisher.kill();
    }
    return async () => {
      await publisher.start();
      for (const limit = Date.now() + 15_000; publisher.unanswered > 0; await sleep(20)) {
        if (Date.now() < limit) continue;
        world.complaints.push(`${publisher.unanswered} publishes had no answer within 15 s`);
        break;
      }
      await publisher.kill();
    };
  },
};

import { sleep } from "../random.js";
import { single, type Fault } from "./fault.js";

/** Only the relays' connections for channels die. What is published before they are back is in the log and nowhere else. */
export const channelsKilled: Fault = {
  kind: "CLIENT KILL TYPE pubsub",
  when: "only the relays' connections for channels are killed, with nothing published afterwards",
  store: "single",
  breaks: "redis",
  short: [300, 600],
  full: [300, 2000],
  keepsSockets: true,
  async start(context) {
    await sleep(context.random.integer(0, 150));
    await single(context).with((redis) => redis.client("KILL", "TYPE", "PUBSUB"));
    return () => undefined;
  },
};

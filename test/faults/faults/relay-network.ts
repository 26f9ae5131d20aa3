import type { Line } from "../line.js";
import type { Fault, FaultContext } from "./fault.js";

/** The ways of some relays to Redis, maybe of all. */
function lines({ world, random }: FaultContext): Line[] {
  const all = world.relays.flatMap(({ line }) => (line === undefined ? [] : [line]));
  return random.some(all, random.integer(1, all.length));
}

const common = { store: "single", breaks: "network", keepsSockets: true } as const;

export const relayCutOff: Fault = {
  ...common,
  kind: "relay's network cut",
  when: "a relay's network to Redis is cut while its clients stay",
  short: [500, 4000],
  full: [500, 20_000],
  async start(context) {
    const cut = lines(context);
    for (const line of cut) {
      line.refuse(true);
      line.cut();
    }
    return () => {
      for (const line of cut) line.refuse(false);
    };
  },
};

export const relayInTheDark: Fault = {
  ...common,
  kind: "relay's network silent",
  when: "a relay's packets to and from Redis are dropped and no end hears of it",
  lasting: true,
  short: [1000, 5000],
  full: [1000, 20_000],
  async start(context) {
    const dark = lines(context);
    for (const line of dark) line.swallowAll(true);
    return () => {
      for (const line of dark) line.swallowAll(false);
    };
  },
};

export const relayStalled: Fault = {
  ...common,
  kind: "relay's network stalled",
  when: "a relay's packets to and from Redis arrive late",
  short: [1000, 5000],
  full: [1000, 20_000],
  async start(context) {
    const stalled = lines(context);
    const delay = context.random.integer(20, 200);
    for (const line of stalled) {
      line.stall(true);
      line.delay(delay);
    }
    return () => {
      for (const line of stalled) {
        line.stall(false);
        line.delay(0);
      }
    };
  },
};

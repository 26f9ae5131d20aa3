import type { Fault, FaultContext } from "./fault.js";
import type { Relay } from "../world.js";

/** All but one may go at once. */
function chosen({ world, random }: FaultContext): Relay[] {
  return random.some(world.relays, random.integer(1, world.relays.length - 1));
}

export const relayKill: Fault = {
  kind: "relay SIGKILL",
  when: "a relay is killed and its clients move to another one",
  store: "any",
  needs: "haproxy",
  breaks: "relays",
  short: [1000, 3000],
  full: [1000, 15_000],
  async start(context) {
    const relays = chosen(context);
    await Promise.all(relays.map(({ process }) => process.kill("SIGKILL")));
    return async () => {
      await Promise.all(relays.map(({ process }) => process.run()));
    };
  },
};

export const relayStop: Fault = {
  kind: "relay SIGSTOP",
  when: "a relay is stopped for a while and goes on",
  store: "any",
  needs: "haproxy",
  breaks: "relays",
  short: [5000, 6000],
  full: [20_000, 20_000],
  async start(context) {
    const relays = chosen(context);
    for (const { process } of relays) process.signal("SIGSTOP");
    return () => {
      for (const { process } of relays) process.signal("SIGCONT");
    };
  },
};

export const relayTerm: Fault = {
  kind: "relay SIGTERM",
  when: "a relay is told to end and another one is started in its place",
  store: "any",
  needs: "haproxy",
  breaks: "relays",
  short: [1000, 2000],
  full: [1000, 10_000],
  async start(context) {
    const relays = chosen(context);
    const ended = relays.map(({ process }) => process.kill("SIGTERM"));
    return async () => {
      await Promise.all(ended);
      await Promise.all(relays.map(({ process }) => process.run()));
    };
  },
};

import type { RemoteFleet } from "../fleet/remote.js";
import type { Fault } from "./fault.js";

/** The process of some clients is stopped, as a laptop sleeps, and goes on later with all its timers late. */
export const frozenClients: Fault = {
  kind: "frozen clients",
  when: "clients are frozen and resumed",
  store: "any",
  needs: "remote",
  breaks: "clients",
  short: [1000, 5000],
  full: [1000, 40_000],
  async start({ world }) {
    const remote = world.remote as RemoteFleet;
    remote.signal("SIGSTOP");
    return () => remote.signal("SIGCONT");
  },
};

import type { LogLimitsOf } from "@bellwire/emitter/redis";
import type { Stores } from "../stores.js";
import { MemoryBus } from "./bus.js";
import { MemoryHeldStore } from "./held.js";
import { MemoryLog } from "./log.js";
import { MemoryNotices } from "./notices.js";
import { MemoryPresence } from "./presence.js";
import { MemoryRevocations } from "./revocations.js";

/** The stores of a relay that is alone: they end with its process. */
export function createMemoryStores({ limitsOf }: { readonly limitsOf: LogLimitsOf }): Stores {
  const log = new MemoryLog(limitsOf);
  const revocations = new MemoryRevocations();
  const held = new MemoryHeldStore();
  const bus = new MemoryBus(revocations, held);
  return {
    log,
    bus,
    revocations,
    held,
    presence: new MemoryPresence(),
    notices: new MemoryNotices(),
    shared: false,
    mayFailOver: false,
    close: async () => {
      bus.close();
      await log.close();
    },
  };
}

import type { Settings } from "../../config/settings.js";
import type { Stores } from "../stores.js";
import { MemoryBus } from "./bus.js";
import { MemoryHeldStore } from "./held.js";
import { MemoryLog } from "./log.js";
import { MemoryNotices } from "./notices.js";
import { MemoryPresence } from "./presence.js";
import { MemoryRevocations } from "./revocations.js";

/** The stores of a relay that is alone: they end with its process. */
export function createMemoryStores({ settings }: { readonly settings: Settings }): Stores {
  const log = new MemoryLog((site, topic) => settings.of(site).topic(topic).log);
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
    settings,
    shared: false,
    mayFailOver: false,
    close: async () => {
      bus.close();
      await log.close();
    },
  };
}

import { mintSubscribeToken } from "@bellwire/emitter";
import type { Filter } from "@bellwire/protocol";
import type { SigningKey } from "./settings.js";

export interface Watcher {
  readonly site: string;
  readonly user?: string | undefined;
  readonly session?: string | undefined;
  readonly topic: string;
  readonly filter: Filter;
}

/** Signs what one subscription needs. Rejects with a BellwireError for a user or session that can't be. */
export function mintToken({ key, kid }: SigningKey, { topic, filter, ...who }: Watcher): Promise<string> {
  return mintSubscribeToken(key, { ...who, grants: [{ topic, filter }] }, { kid });
}

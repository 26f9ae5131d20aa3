import { mintConnectToken, mintSubscribeToken } from "@bellwire/emitter";
import type { Filter } from "@bellwire/protocol";
import type { Tokens } from "./listener.js";
import type { SigningKey } from "./settings.js";

export interface Watcher {
  readonly site: string;
  readonly user?: string | undefined;
  readonly session?: string | undefined;
  readonly topic: string;
  readonly filter: Filter;
}

/** Signs what one subscription needs. Rejects with a BellwireError for a user or session that can't be. */
export async function mintTokens({ key, kid }: SigningKey, { topic, filter, ...who }: Watcher): Promise<Tokens> {
  const [connect, subscribe] = await Promise.all([
    mintConnectToken(key, who, { kid }),
    mintSubscribeToken(key, { ...who, grants: [{ topic, filter }] }, { kid }),
  ]);
  return { connect, subscribe };
}

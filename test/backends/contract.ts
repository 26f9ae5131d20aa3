import { grantsInTokens } from "./grants.js";
import { hooksAndRoutes } from "./hooks.js";
import { reachOfRelays } from "./reach.js";
import { sitesApart } from "./sites.js";
import { socketsWithHooks, type Sockets } from "./sockets.js";
import { tokensAndRelays } from "./tokens.js";
import type { World } from "./world.js";

/**
 * What every backend of the examples does, whatever its language.
 * @param more further tests of a relay that asks this backend
 */
export function backendContract(here: World, more?: (sockets: Sockets) => void): void {
  tokensAndRelays(here);
  grantsInTokens(here);
  sitesApart(here);
  reachOfRelays(here);
  hooksAndRoutes(here);
  socketsWithHooks(here, more);
}

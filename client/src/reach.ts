import { BellwireError } from "@bellwire/protocol";
import { parseUrl } from "./connection/target.js";
import type { ClientOptions } from "./options.js";

export interface Reach {
  /** The token endpoint, absolute. */
  readonly endpoint: string | undefined;
  /** What a relative url of the relay is relative to. */
  readonly base: string | undefined;
  /** False in a server-side rendering: a relative endpoint leads nowhere there, and that is no mistake. */
  readonly reachable: boolean;
}

/** Finds where the options lead from here. @throws BellwireError `bad-request` where they lead nowhere anywhere */
export function reachOf(options: ClientOptions): Reach {
  const { url, site, getConnectionToken } = options;
  if (options.endpoint === undefined && (url === undefined || (site === undefined && getConnectionToken === undefined))) {
    throw new BellwireError("bad-request", 'createClient needs an endpoint, e.g. {endpoint: "/realtime"}, or a url and a site');
  }
  const page = (globalThis as { readonly location?: Location }).location?.href;
  const endpoint = options.endpoint === undefined ? undefined : parseUrl(options.endpoint, page)?.href;
  return { endpoint, base: endpoint ?? page, reachable: endpoint !== undefined || url !== undefined };
}

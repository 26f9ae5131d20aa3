import { BellwireError, parseSite, siteNamespace } from "@bellwire/protocol";

/** Where a connection goes. */
export interface Target {
  /** E.g. `wss://example.com`. */
  readonly origin: string;
  /** E.g. `/ws/socket.io/`. */
  readonly path: string;
  /** E.g. `/site/5`. */
  readonly namespace: string;
}

/**
 * @param url the relay; a path is a prefix
 * @param base what a relative url is relative to
 * @throws BellwireError `bad-request` where no connection can come of it
 */
export function targetOf(url: string | undefined, site: string | undefined, base: string | undefined): Target {
  const parsed = parseUrl(url ?? "/", base);
  if (parsed === undefined || !/^(ws|http)s?:$/.test(parsed.protocol)) {
    throw new BellwireError("bad-request", `The relay's url ${JSON.stringify(url)} is not one like wss://example.com/ws`);
  }
  const prefix = parsed.pathname.replace(/(\/socket\.io)?\/*$/, "");
  return { origin: `${parsed.protocol}//${parsed.host}`, path: `${prefix}/socket.io/`, namespace: siteNamespace(parseSite(site)) };
}

/** Makes a url absolute; undefined where it can't be, as with a relative endpoint outside a browser. */
export function parseUrl(url: string, base: string | undefined): URL | undefined {
  try {
    return new URL(url, base);
  } catch {
    return undefined;
  }
}

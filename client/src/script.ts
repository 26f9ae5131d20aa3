import * as bellwire from "./index.js";

/**
 * The script tag: `window.bellwire` is a client for the tag's `data-endpoint` (or `data-url` and `data-site`), and has
 * `createClient` and the other exports beside. Without these attributes it has the exports alone.
 */
function start(): object {
  const { endpoint, url, site } = (document.currentScript?.dataset ?? {}) as Record<string, string | undefined>;
  if (endpoint === undefined && url === undefined) return { ...bellwire };
  const options = {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(url === undefined ? {} : { url }),
    ...(site === undefined ? {} : { site }),
  };
  return Object.assign(bellwire.createClient(options), bellwire);
}

const page = globalThis as { bellwire?: object };
// A page that has the tag twice still opens one connection.
page.bellwire ??= start();

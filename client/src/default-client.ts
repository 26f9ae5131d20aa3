import type { Client } from "./api.js";

let chosen: Client | undefined;

/** Names the client that bindings use where they are given none. Default: the script tag's `window.bellwire`. */
export function setDefaultClient(client: Client | undefined): void {
  chosen = client;
}

export function getDefaultClient(): Client | undefined {
  if (chosen !== undefined) return chosen;
  const found = (globalThis as { readonly bellwire?: Partial<Client> }).bellwire;
  // Without data-endpoint the script tag gives the factories alone.
  return typeof found?.subscribe === "function" ? (found as Client) : undefined;
}

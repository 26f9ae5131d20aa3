import type { SiteSettings } from "../config/settings.js";
import type { Hooks } from "../hooks/hooks.js";

/** The optional parts of the contract that a site's clients find here. */
export function featuresOf({ offers }: Pick<SiteSettings, "offers">, personal: boolean, hooks: Hooks): string[] {
  return [
    ...(personal ? ["personal"] : []),
    "refresh",
    ...(hooks.features.includes("rpc") ? ["rpc"] : []),
    ...(offers.publish ? ["publish"] : []),
    ...(offers.presence ? ["presence"] : []),
  ];
}

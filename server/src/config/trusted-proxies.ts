import { BlockList, isIP } from "node:net";
import { ConfigError } from "./reader.js";

/** The proxies whose `X-Forwarded-For` counts. */
export interface TrustedProxies {
  /** @param address an IP address, as a socket or a header names it */
  trusts(address: string): boolean;
}

/**
 * Reads REALTIME_TRUSTED_PROXIES: addresses and networks, e.g. `10.0.0.0/8, ::1`.
 * @throws ConfigError
 */
export function trustedProxies(items: readonly string[]): TrustedProxies {
  const list = new BlockList();
  for (const item of items) add(list, item);
  return {
    trusts: (text) => {
      if (items.length === 0) return false;
      const address = plainAddress(text);
      return isIP(address) !== 0 && list.check(address, familyOf(address));
    },
  };
}

function add(list: BlockList, item: string): void {
  const [text = "", bits, ...more] = item.split("/");
  const address = plainAddress(text);
  const most = { 0: -1, 4: 32, 6: 128 }[isIP(address)] as number;
  const wrong = most < 0 || more.length > 0 || (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > most));
  if (wrong) {
    throw new ConfigError(
      `REALTIME_TRUSTED_PROXIES: "${item}" is neither an address such as 10.0.0.7 nor a network such as 10.0.0.0/8 or fd00::/8`,
    );
  }
  if (bits === undefined) list.addAddress(address, familyOf(address));
  else list.addSubnet(address, Number(bits), familyOf(address));
}

/** IPv4 as such, where it is written as IPv6: sockets that take both say `::ffff:10.0.0.7`. */
export function plainAddress(text: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)?.[1];
  return mapped ?? text;
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}

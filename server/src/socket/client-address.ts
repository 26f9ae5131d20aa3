import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { plainAddress, type TrustedProxies } from "../config/trusted-proxies.js";

export interface ClientAddress {
  /** Who a request is from, for counting: an IPv4 address or the network of an IPv6 one; undefined where it can't be told. */
  readonly address: string | undefined;
  /** The proxy that names a client but is not trusted to. */
  readonly untrusted: string | undefined;
}

/** An X-Forwarded-For of more is nobody's. */
const MOST_HOPS = 32;

/**
 * Who a request is from. A header counts only where a trusted proxy wrote it: what stands in it is read from the right, up to the
 * first address that is no such proxy's, since everything left of that may be the client's own invention.
 *
 * This machine's own address is nobody's: whoever comes from there is a proxy, a test or a tool, and many at once. Nor is that of a
 * proxy nearby that nobody has listed: to count all of its clients as one would turn most of them away.
 */
export function clientAddress({ socket, headers }: Pick<IncomingMessage, "socket" | "headers">, proxies: TrustedProxies): ClientAddress {
  const peer = plainAddress(socket.remoteAddress ?? "");
  const forwarded = headers["x-forwarded-for"];
  if (!proxies.trusts(peer)) {
    const behindProxy = forwarded !== undefined && isPrivate(peer);
    return { address: isLoopback(peer) || behindProxy ? undefined : networkOf(peer), untrusted: behindProxy ? peer : undefined };
  }
  const hops = [forwarded ?? []].flat().join(",").split(",").slice(-MOST_HOPS);
  for (const hop of hops.reverse()) {
    const address = withoutPort(hop.trim());
    if (isIP(address) === 0) break;
    if (!proxies.trusts(address)) return { address: networkOf(address), untrusted: undefined };
  }
  return { address: undefined, untrusted: undefined };
}

/** As some proxies write it: `1.2.3.4:5678`, `[::1]:5678`. */
function withoutPort(text: string): string {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(text)?.[1] ?? text;
  return plainAddress(bare);
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}

function isPrivate(address: string): boolean {
  return isLoopback(address) || /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|f[cd][0-9a-f]{2}:|fe80:)/i.test(address);
}

/** One subscriber of a provider has a whole /64 of IPv6. */
function networkOf(address: string): string | undefined {
  const family = isIP(address);
  if (family === 4) return address;
  if (family === 0) return undefined;
  const [head = "", tail = ""] = address.replace(/%.*$/, "").toLowerCase().split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === "" ? [] : tail.split(":");
  const groups = address.includes("::")
    ? [...left, ...Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0"), ...right]
    : left;
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")}::/64`;
}

import type { IncomingMessage } from "node:http";
import { BellwireError } from "@bellwire/protocol";
import type { TrustedProxies } from "../config/trusted-proxies.js";
import { KeyedRates } from "../pacing/keyed-rates.js";
import { clientAddress } from "./client-address.js";

export interface AddressLimits {
  /** Handshakes of one address, of which ten times as many may come at once. */
  readonly handshakesPerSecond: number;
  /** Sockets of one address that are open and not admitted yet. */
  readonly waitingPerAddress: number;
}

export interface AddressesOptions {
  readonly proxies: TrustedProxies;
  readonly limits: AddressLimits;
  /** Told where a proxy names a client and is not trusted to: nobody who comes through it is counted. */
  readonly onUntrusted: (proxy: string) => void;
}

/** After a restart a whole office is back within seconds. */
const BURST_SECONDS = 10;
const MOST_ADDRESSES = 50_000;
const WAITING_AFTER_MS = 1000;

/** Bounds what comes from one address before anything is known of who it is. */
export class Addresses {
  readonly #options: AddressesOptions;
  readonly #handshakes = new KeyedRates(MOST_ADDRESSES);
  readonly #waiting = new Map<string, number>();

  constructor(options: AddressesOptions) {
    this.#options = options;
  }

  of(request: IncomingMessage): string | undefined {
    return clientAddress(request, this.#options.proxies).address;
  }

  /** To be asked once for each request that would open a session. @returns why it may not */
  knock(request: IncomingMessage): BellwireError | undefined {
    const { proxies, limits, onUntrusted } = this.#options;
    const { address, untrusted } = clientAddress(request, proxies);
    if (untrusted !== undefined) onUntrusted(untrusted);
    if (address === undefined) return undefined;
    if ((this.#waiting.get(address) ?? 0) >= limits.waitingPerAddress) {
      return new BellwireError("limit", "Too many connections from this address are waiting to be admitted", { after: WAITING_AFTER_MS });
    }
    const { handshakesPerSecond } = limits;
    const after = this.#handshakes.take(address, handshakesPerSecond, handshakesPerSecond * BURST_SECONDS);
    return after === 0 ? undefined : new BellwireError("limit", "Too many connections from this address in a short time", { after });
  }

  /** A socket was opened. @returns to be called once when it is admitted, or gone */
  arrive(address: string | undefined): () => void {
    if (address === undefined) return () => undefined;
    this.#waiting.set(address, (this.#waiting.get(address) ?? 0) + 1);
    return () => {
      const left = (this.#waiting.get(address) ?? 1) - 1;
      if (left > 0) this.#waiting.set(address, left);
      else this.#waiting.delete(address);
    };
  }
}

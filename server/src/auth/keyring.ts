import { hkdfSync } from "node:crypto";
import { parseKey } from "@bellwire/emitter/internal";

/** The keys of one site, or of all sites without keys of their own. */
export interface KeySet {
  /** Keys as texts; the first signs tickets. A `kid` pins a key to tokens whose header names it. */
  readonly keys: readonly { readonly key: string; readonly kid?: string | undefined }[];
}

interface Prepared {
  readonly verify: readonly { readonly kid: string | undefined; readonly key: Promise<CryptoKey> }[];
  readonly tickets: readonly Buffer[];
}

type CryptoKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/** Chooses keys by the namespace's site and a token header's `kid`; never by anything that a token claims. */
export class Keyring {
  readonly #common: Prepared;
  readonly #sites: ReadonlyMap<string, Prepared>;

  constructor(common: KeySet, sites: Readonly<Record<string, KeySet>> = {}) {
    this.#common = prepare(common);
    this.#sites = new Map(Object.entries(sites).map(([site, keys]) => [site, prepare(keys)]));
  }

  /** The keys that may have signed a token for this site. */
  async candidates(site: string, kid: string | undefined): Promise<CryptoKey[]> {
    const { verify } = this.#of(site);
    const named = kid === undefined ? [] : verify.filter((entry) => entry.kid === kid);
    const chosen = named.length > 0 ? named : verify.filter((entry) => entry.kid === undefined);
    return Promise.all(chosen.map((entry) => entry.key));
  }

  /** The keys of tickets, derived so that a ticket never passes for a token; the first one signs. */
  ticketKeys(site: string): readonly Buffer[] {
    return this.#of(site).tickets;
  }

  #of(site: string): Prepared {
    return this.#sites.get(site) ?? this.#common;
  }
}

function prepare({ keys }: KeySet): Prepared {
  return {
    verify: keys.flatMap(({ key, kid }) => parseKey(key).verify.map((bytes) => ({ kid, key: importHmac(bytes) }))),
    tickets: keys.map(({ key }) => Buffer.from(hkdfSync("sha256", parseKey(key).sign, "", "bellwire ticket", 32))),
  };
}

function importHmac(bytes: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", new Uint8Array(bytes), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}

import { hkdfSync } from "node:crypto";
import { createVerifier } from "fast-jwt";
import { parseKey } from "@bellwire/emitter/publication";
import { Mac } from "./mac.js";

/** The keys of one site, or of all sites without keys of their own. */
export interface KeySet {
  /** Keys as texts; the first signs tickets. A `kid` pins a key to tokens whose header names it. */
  readonly keys: readonly { readonly key: string; readonly kid?: string | undefined }[];
}

/**
 * Checks a token's signature with one key and gives its payload, or throws. Synchronous: handing a HMAC of a few hundred bytes to
 * another thread, as WebCrypto does, costs seven times what it costs itself.
 */
export type Verifier = (token: string) => unknown;

interface Prepared {
  readonly verify: readonly { readonly kid: string | undefined; readonly verifier: Verifier }[];
  /** Whether a token's header has to be looked at to choose a key. */
  readonly named: boolean;
  readonly tickets: readonly Mac[];
}

/** Chooses keys by the namespace's site and a token header's `kid`; never by anything that a token claims. */
export class Keyring {
  readonly #keysOf: (site: string) => KeySet;
  /** Kept as long as the settings that hold the keys are. */
  readonly #prepared = new WeakMap<KeySet, Prepared>();

  /** @param keysOf asked each time; gives the same object as long as its keys are the same */
  constructor(keysOf: (site: string) => KeySet) {
    this.#keysOf = keysOf;
  }

  /**
   * The keys that may have signed a token for this site.
   * @param kidOf reads the header's `kid`; called only where some key goes by one
   */
  candidates(site: string, kidOf: () => string | undefined): Verifier[] {
    const { verify, named } = this.#of(site);
    const kid = named ? kidOf() : undefined;
    const pinned = kid === undefined ? [] : verify.filter((entry) => entry.kid === kid);
    const chosen = pinned.length > 0 ? pinned : verify.filter((entry) => entry.kid === undefined);
    return chosen.map(({ verifier }) => verifier);
  }

  /** The keys of tickets, derived so that a ticket never passes for a token; the first one signs. */
  ticketKeys(site: string): readonly Mac[] {
    return this.#of(site).tickets;
  }

  #of(site: string): Prepared {
    const keys = this.#keysOf(site);
    let prepared = this.#prepared.get(keys);
    if (prepared === undefined) this.#prepared.set(keys, (prepared = prepare(keys)));
    return prepared;
  }
}

function prepare({ keys }: KeySet): Prepared {
  return {
    verify: keys.flatMap(({ key, kid }) => parseKey(key).verify.map((bytes) => ({ kid, verifier: createHmacVerifier(bytes) }))),
    named: keys.some(({ kid }) => kid !== undefined),
    tickets: keys.map(({ key }) => new Mac(Buffer.from(hkdfSync("sha256", parseKey(key).sign, "", "bellwire ticket", 32)))),
  };
}

function createHmacVerifier(bytes: Uint8Array): Verifier {
  // What a payload claims, its times among it, is judged where claims are read: with the contract's codes.
  return createVerifier({
    key: Buffer.from(bytes),
    algorithms: ["HS256"],
    ignoreExpiration: true,
    ignoreNotBefore: true,
    cache: false,
  }) as Verifier;
}

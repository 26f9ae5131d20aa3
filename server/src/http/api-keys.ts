import { createHash, timingSafeEqual } from "node:crypto";
import { BellwireError } from "@bellwire/protocol";
import type { ApiKey } from "../config/config.js";

/** Checks `Authorization: Bearer <key>` against the keys, in constant time. */
export class ApiKeys {
  readonly #keys: readonly { readonly digest: Buffer; readonly sites: ReadonlySet<string> | undefined }[];

  constructor(keys: readonly ApiKey[]) {
    this.#keys = keys.map(({ key, sites }) => ({ digest: digest(key), sites: sites === undefined ? undefined : new Set(sites) }));
  }

  /**
   * @param site the site that the request is about
   * @throws BellwireError `forbidden` where the API is closed, `token-missing`, `token-invalid`, or `wrong-site` for a key bound to others
   */
  check(authorization: string | undefined, site: string | undefined): void {
    const known = this.#find(authorization);
    if (site !== undefined && !known.some((sites) => sites === undefined || sites.has(site))) {
      throw new BellwireError("wrong-site", "The API key is bound to other sites");
    }
  }

  /** For what is about all sites. @throws BellwireError as `check`; `wrong-site` for a key that is bound to some */
  checkAll(authorization: string | undefined): void {
    if (this.#find(authorization).some((sites) => sites === undefined)) return;
    throw new BellwireError("wrong-site", "The API key is bound to some sites, and this is about all of them");
  }

  /** The sites of each entry with this key. */
  #find(authorization: string | undefined): (ReadonlySet<string> | undefined)[] {
    if (this.#keys.length === 0) throw new BellwireError("forbidden", "The API is closed: set REALTIME_API_KEY");
    const key = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
    if (key === undefined) throw new BellwireError("token-missing", "Send Authorization: Bearer <REALTIME_API_KEY>");
    const given = digest(key);
    const known = this.#keys.filter((entry) => timingSafeEqual(entry.digest, given));
    if (known.length === 0) throw new BellwireError("token-invalid", "The API key is not known here");
    return known.map(({ sites }) => sites);
  }
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

import { randomUUID } from "node:crypto";
import type { Addressee } from "./personal.js";
import type { Except, Publication } from "./transport.js";

/** What a publication is made of, checked and encoded. */
export interface PublicationParts {
  readonly site: string;
  readonly topic: string;
  /** The data's JSON text: an object. */
  readonly data: string;
  /** Becomes the id, which otherwise is a new one. */
  readonly idempotencyKey?: string | undefined;
  readonly except?: Except | undefined;
  readonly addressee?: Addressee | undefined;
}

/** A first attempt. Written out field by field: this runs for every publish, and spreading an object costs ten times as much. */
export function makePublication({ site, topic, data, idempotencyKey, except, addressee }: PublicationParts): Publication {
  const id = idempotencyKey ?? randomUUID();
  const idempotent = idempotencyKey !== undefined;
  if (addressee !== undefined) {
    const common = { site, topic, data, id, idempotent, retry: false, addressee };
    return except === undefined ? common : { ...common, except };
  }
  return except === undefined
    ? { site, topic, data, id, idempotent, retry: false }
    : { site, topic, data, id, idempotent, retry: false, except };
}

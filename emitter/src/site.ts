import { BellwireError, parseTopic, type Position, type TopicPosition } from "@bellwire/protocol";
import { SwitchedOff } from "./attempts.js";
import { idText, parseSiteId } from "./identifier.js";
import { makePublication } from "./make-publication.js";
import { encodeData, parseExcept, parseIdempotencyKey, type PublishOptions } from "./message.js";
import { parseAddressee, personalTopic, type Addressee, type PersonalKind } from "./personal.js";
import type { Except, Publication } from "./transport.js";

/** Where a message stands in its topic's log, or why it may not. */
export type PublishResult = TopicPosition | { readonly topic: string; readonly error: BellwireError };

/** Publishing to one site. */
export interface SitePublisher {
  readonly site: string;
  /**
   * Tells a topic's subscribers on this site that something happened. Data is a hint, such as ids: fetch the rest.
   *
   * Resolves to the position in the topic's log, or `null` while the emitter is disabled. Rejects with a BellwireError:
   * `bad-request`, `forbidden` (a topic that begins with `$`), `too-large`, `limit`, or within 5 s `unavailable`, which
   * means "outcome unknown"; then publish again with the same idempotencyKey. Where Redis, or the relay, was never reached, `unavailable`
   * comes with the first failed attempt to connect, and its message says that nothing was sent. Ignoring the promise is safe; with
   * `{wait: false}` it resolves at once.
   *
   * @param data a JSON object of at most 4 KiB; default `{}`
   */
  publish(topic: string, data?: object, options?: PublishOptions): Promise<Position | null>;
  /**
   * The same for several topics, at most 1,000: one append each, not atomic. Resolves to a result for each topic, in order;
   * rejects only where site, data or options are wrong for all of them.
   */
  publish(topics: readonly string[], data?: object, options?: PublishOptions): Promise<PublishResult[] | null>;
}

/** Publishing to one user or session. */
export interface PersonalPublisher {
  /**
   * Tells all connections of this user or session on the site, on their personal topic, which they hear as `$user` or `$session`
   * without subscribing. Otherwise as `publish` to a topic.
   */
  publish(data?: object, options?: PublishOptions): Promise<Position | null>;
}

/** Rejects with a BellwireError only. */
export type Append = (publication: Publication) => Promise<Position>;

const MAX_TOPICS = 1000;

/** Resolves to null where the relay is switched off. */
export function publishOne(
  append: Append,
  maxBytes: number,
  site: string,
  topic: string,
  data: unknown,
  options: unknown,
): Promise<Position | null> {
  let publication: Publication;
  try {
    publication = addressed(encode(site, data, options, maxBytes), topic);
  } catch (error) {
    return Promise.reject(error);
  }
  return append(publication).then(undefined, nullIfOff);
}

/** As `publishOne`, to the personal topic of a user or session. */
export function publishPersonal(
  append: Append,
  maxBytes: number,
  site: string,
  kind: PersonalKind,
  id: unknown,
  data: unknown,
  options: unknown,
): Promise<Position | null> {
  let publication: Publication;
  try {
    publication = personal(encode(site, data, options, maxBytes), parseAddressee(kind, id));
  } catch (error) {
    return Promise.reject(error);
  }
  return append(publication).then(undefined, nullIfOff);
}

function nullIfOff(error: unknown): null {
  if (error instanceof SwitchedOff) return null;
  throw error;
}

/** Resolves to null where the relay is switched off. */
export async function publishEach(
  append: Append,
  maxBytes: number,
  site: string,
  topics: readonly string[],
  data: unknown,
  options: unknown,
): Promise<PublishResult[] | null> {
  if (topics.length > MAX_TOPICS) throw new BellwireError("bad-request", `At most ${MAX_TOPICS} topics in one publish`);
  const common = encode(site, data, options, maxBytes);
  const results = await Promise.all(
    topics.map(async (topic): Promise<PublishResult> => {
      try {
        return { topic, ...(await append(addressed(common, topic))) };
      } catch (error) {
        if (!(error instanceof BellwireError)) throw error;
        return { topic, error };
      }
    }),
  );
  return results.some((result) => "error" in result && result.error instanceof SwitchedOff) ? null : results;
}

interface Common {
  readonly site: string;
  readonly data: string;
  readonly except: Except | undefined;
  readonly idempotencyKey: string | undefined;
}

function encode(site: unknown, data: unknown, options: unknown, maxBytes: number): Common {
  const given = options === undefined || options === null ? {} : options;
  if (typeof given !== "object") throw new BellwireError("bad-request", "The options of publish are {idempotencyKey?, except?}");
  const { idempotencyKey, except } = given as PublishOptions;
  return {
    site: parseSiteId(site),
    data: encodeData(data ?? {}, maxBytes),
    idempotencyKey: parseIdempotencyKey(idempotencyKey),
    except: parseExcept(withTextIds(except)),
  };
}

function withTextIds(except: PublishOptions["except"]): unknown {
  if (typeof except !== "object" || except === null || Array.isArray(except)) return except;
  return Object.fromEntries(Object.entries(except).map(([name, id]) => [name, idText(id)]));
}

function addressed(common: Common, topic: unknown): Publication {
  const { site, data, idempotencyKey, except } = common;
  return makePublication({ site, topic: parseTopic(topic), data, idempotencyKey, except });
}

function personal(common: Common, addressee: Addressee): Publication {
  return makePublication({ ...common, topic: personalTopic(addressee.kind, addressee.id), addressee });
}

import type { FastifyInstance, FastifyRequest } from "fastify";
import { BellwireError, parseSite, type WireError } from "@bellwire/protocol";
import type { Publication } from "@bellwire/emitter/publication";
import type { Settings } from "../config/settings.js";
import { toBellwireError } from "../connection/failure.js";
import type { TopicLog } from "../stores/log.js";
import { appendCounted } from "../observe/counted-append.js";
import type { StallWatch } from "../observe/stall.js";
import type { Stats } from "../observe/stats.js";
import type { ApiKeys } from "./api-keys.js";
import { openApi } from "./openapi.js";
import { parsePublishBody, type ParsedItem } from "./publish-body.js";
import { registerReads, type Reads } from "./read-api.js";

export interface ApiOptions extends Reads {
  readonly keys: ApiKeys;
  readonly log: TopicLog;
  readonly stats: Stats;
  readonly settings: Pick<Settings, "of">;
  readonly stall: StallWatch;
}

type Result = { topic: string; epoch: string; offset: number } | { topic: string; error: WireError };

/** The server API under `/v1`, for backends in any language. */
export function registerApi(app: FastifyInstance, options: ApiOptions): void {
  const document = openApi();
  app.get("/v1/openapi.json", async () => document);

  type Site = { Params: { site: string } };
  // Before the body is read: nobody without a key makes a relay parse a megabyte.
  const onRequest = async ({ headers, params }: FastifyRequest<Site>): Promise<void> =>
    options.keys.check(headers.authorization, params.site);

  app.post<Site>("/v1/sites/:site/publish", { onRequest }, async (request) => {
    const site = parseSite(request.params.site);
    return { results: await publish(options, parsePublishBody(request.body, site, options.settings.of(site).limits.dataBytes)) };
  });
  registerReads(app, options);
}

async function publish({ log, stats, stall }: ApiOptions, items: readonly ParsedItem[]): Promise<Result[]> {
  const results = await Promise.all(
    items.map(async (item): Promise<Result> => {
      if ("error" in item) return { topic: item.topic, error: item.error.toJSON() };
      const { topic, publication } = item;
      // A late attempt looks for its own retry in the log too: the key alone may have been evicted from a full Redis.
      return append(log, stats, topic, publication.idempotent && stall.recent ? { ...publication, retry: true } : publication);
    }),
  );
  // Nothing went in and a later try may succeed: say so in the status, so that the caller's own retries work.
  const failed = results.map((result) => ("error" in result ? result.error : undefined));
  const away = failed.find((error) => error?.code === "unavailable");
  if (away !== undefined && failed.every((error) => error !== undefined)) throw new BellwireError("unavailable", away.message);
  return results;
}

/** @param topic as the result names it */
async function append(log: TopicLog, stats: Stats, topic: string, publication: Publication): Promise<Result> {
  try {
    return { topic, ...(await appendCounted(log, stats, "backend", publication)) };
  } catch (error) {
    return { topic, error: toBellwireError(error).toJSON() };
  }
}

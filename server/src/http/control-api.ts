import type { FastifyInstance, FastifyRequest } from "fastify";
import { COMMAND_KINDS, parseCommand, type Command } from "@bellwire/emitter/internal";
import type { ClusterCounts } from "../control/counts.js";
import type { ApiKeys } from "./api-keys.js";

export interface ControlApiOptions {
  readonly keys: ApiKeys;
  /** Tells every relay. Rejects with a BellwireError. */
  readonly send: (command: Command) => Promise<void>;
  /** Asks every relay. Rejects with a BellwireError. */
  readonly counts: () => Promise<ClusterCounts>;
}

/** What backends can have relays do with a site's connections, under `/v1`, and how much is open on all of them. */
export function registerControl(app: FastifyInstance, { keys, send, counts }: ControlApiOptions): void {
  type Site = { Params: { site: string } };
  const ofSite = async ({ headers, params }: FastifyRequest<Site>): Promise<void> => keys.check(headers.authorization, params.site);

  for (const kind of COMMAND_KINDS) {
    app.post<Site>(`/v1/sites/:site/${kind}`, { onRequest: ofSite }, async (request) => {
      await send(parseCommand(kind, request.params.site, request.body));
      return {};
    });
  }

  const ofAll = async ({ headers }: FastifyRequest): Promise<void> => keys.checkAll(headers.authorization);
  app.get("/v1/counts", { onRequest: ofAll }, async (_request, reply) => {
    reply.header("cache-control", "no-store");
    return counts();
  });
}

import type { FastifyInstance } from "fastify";
import { BellwireError } from "@bellwire/protocol";
import { TURNED_AWAY } from "./rewrite.js";

export interface Readiness {
  readonly ready: boolean;
  readonly status: "ready" | "degraded" | "starting" | "draining";
  /** What relays share, if anything: whether it can be reached. */
  readonly store: "none" | "up" | "down";
  readonly problem?: string | undefined;
}

/** What load balancers ask for. */
export function registerHealth(app: FastifyInstance, readiness: () => Readiness): void {
  app.get("/healthz", async () => ({ status: "alive" }));

  app.all<{ Querystring: { after?: string } }>(TURNED_AWAY, async ({ query }) => {
    const after = Number(query.after);
    if (after > 0) throw new BellwireError("limit", "Too many connections from this address", { after });
    throw new BellwireError("draining", "The relay is going away: connect to another one");
  });

  app.get("/readyz", async (_request, reply) => {
    const { ready, store, ...rest } = readiness();
    const body = { ...rest, redis: store }; // the contract's name for it
    return reply
      .code(ready ? 200 : 503)
      .header("cache-control", "no-store")
      .send(body);
  });
}

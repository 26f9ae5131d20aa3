import type { FastifyInstance } from "fastify";
import { BellwireError } from "@bellwire/protocol";
import { TURNED_AWAY } from "./rewrite.js";

export interface Readiness {
  readonly ready: boolean;
  readonly status: "ready" | "degraded" | "starting" | "draining";
  readonly redis: string;
  readonly problem?: string | undefined;
}

/** What load balancers ask for. */
export function registerHealth(app: FastifyInstance, readiness: () => Readiness): void {
  app.get("/healthz", async () => ({ status: "alive" }));

  app.all(TURNED_AWAY, async () => {
    throw new BellwireError("draining", "The relay is going away: connect to another one");
  });

  app.get("/readyz", async (_request, reply) => {
    const { ready, ...body } = readiness();
    return reply
      .code(ready ? 200 : 503)
      .header("cache-control", "no-store")
      .send(body);
  });
}

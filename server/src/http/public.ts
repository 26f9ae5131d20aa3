import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
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

/** The browser client, for a script tag. */
export function registerBundle(app: FastifyInstance): void {
  const bundle = loadBundle();
  app.get("/client.js", async (request, reply) => {
    const { text, etag } = await bundle();
    reply.header("etag", etag).header("cache-control", "public, max-age=3600").header("access-control-allow-origin", "*");
    if (isNamed(request.headers["if-none-match"], etag)) return reply.code(304).send();
    return reply.type("text/javascript; charset=utf-8").send(text);
  });
}

/** Is this etag among those of an If-None-Match? A proxy that compresses makes it weak, `W/"..."`. */
function isNamed(header: string | undefined, etag: string): boolean {
  const named = (header ?? "").split(",").map((item) => item.trim().replace(/^W\//, ""));
  return named.includes(etag) || named.includes("*");
}

/** The client package's browser bundle, read at the first request: a relay runs without it. */
function loadBundle(): () => Promise<{ text: string; etag: string }> {
  let loaded: { text: string; etag: string } | undefined;
  return async () => {
    if (loaded !== undefined) return loaded;
    try {
      const text = await readFile(createRequire(import.meta.url).resolve("@bellwire/client/bundle/client.js"), "utf8");
      loaded = { text, etag: `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"` };
      return loaded;
    } catch (error) {
      throw new BellwireError("not-found", "The browser bundle is not built: npm run build", { cause: error });
    }
  };
}

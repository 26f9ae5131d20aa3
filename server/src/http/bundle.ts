import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { FastifyInstance } from "fastify";
import { BellwireError } from "@bellwire/protocol";
import { chooseCoding, type Coding } from "./coding.js";

interface Bundle {
  readonly hash: string;
  readonly bodies: Readonly<Record<Coding, Buffer>>;
}

/** For script tags: the browser client, and the custom element that goes with it. */
const SCRIPTS = ["client.js", "element.js"] as const;

export function registerBundle(app: FastifyInstance): void {
  for (const name of SCRIPTS) registerScript(app, name);
}

function registerScript(app: FastifyInstance, name: (typeof SCRIPTS)[number]): void {
  const load = once(() => loadBundle(name));
  app.get(`/${name}`, async (request, reply) => {
    const { hash, bodies } = await load();
    const coding = chooseCoding(request.headers["accept-encoding"]);
    const etag = etagOf(hash, coding);
    reply
      .header("etag", etag)
      .header("vary", "accept-encoding")
      .header("cache-control", "public, max-age=3600")
      .header("access-control-allow-origin", "*");
    if (isNamed(request.headers["if-none-match"], hash)) return reply.code(304).send();
    if (coding !== "identity") reply.header("content-encoding", coding);
    return reply.type("text/javascript; charset=utf-8").send(bodies[coding]);
  });
}

/** Each coding is a body of its own, and has to have a strong etag of its own. */
function etagOf(hash: string, coding: Coding): string {
  return coding === "identity" ? `"${hash}"` : `"${hash}-${coding}"`;
}

/** Does an If-None-Match name this bundle, in whatever coding? A proxy that compresses makes an etag weak, `W/"..."`. */
function isNamed(header: string | undefined, hash: string): boolean {
  const named = (header ?? "").split(",").map((item) => item.trim().replace(/^W\//, ""));
  return named.includes("*") || (["identity", "br", "gzip"] as const).some((coding) => named.includes(etagOf(hash, coding)));
}

/** A bundle of the client package: read and compressed at the first request, since a relay runs without it. */
async function loadBundle(name: string): Promise<Bundle> {
  let identity: Buffer;
  try {
    identity = await readFile(createRequire(import.meta.url).resolve(`@bellwire/client/bundle/${name}`));
  } catch (error) {
    throw new BellwireError("not-found", "The browser bundle is not built: npm run build", { cause: error });
  }
  const [br, zipped] = await Promise.all([
    promisify(brotliCompress)(identity, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: identity.length } }),
    promisify(gzip)(identity, { level: constants.Z_BEST_COMPRESSION }),
  ]);
  return { hash: createHash("sha256").update(identity).digest("base64url").slice(0, 22), bodies: { identity, br, gzip: zipped } };
}

/** One run for all who ask; anew only where it failed. */
function once<T>(run: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= run().catch((error: unknown) => {
      running = undefined;
      throw error;
    });
    return running;
  };
}

import Fastify, { type FastifyInstance, type FastifyReply } from "fastify";
import { BellwireError } from "@bellwire/protocol";
import { toBellwireError } from "../failure.js";
import type { Logger } from "../logger.js";

const BODY_BYTES = 1_048_576;

/**
 * An HTTP server whose every error has the contract's shape, `{error: {code, message, retry}}`.
 */
export function createApp(logger: Logger): FastifyInstance {
  const answer = (error: unknown, reply: FastifyReply): void => {
    const known = httpError(error);
    if (known.code === "internal") logger.failure("http", known.cause ?? known);
    if (known.after !== undefined) reply.header("retry-after", Math.ceil(known.after / 1000));
    reply.code(known.status).send({ error: known.toJSON() });
  };
  const app = Fastify({
    bodyLimit: BODY_BYTES,
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 256 },
    // Of requests that never reach the router, e.g. a URL that can't be decoded.
    frameworkErrors: (error, _request, reply) => answer(error, reply),
  });
  app.setNotFoundHandler(() => {
    throw new BellwireError("not-found", "There is nothing here");
  });
  app.setErrorHandler((error, _request, reply) => answer(error, reply));
  return app;
}

/** Fastify's own refusals (broken JSON, wrong media type, too long a body) carry a status below 500. */
function httpError(error: unknown): BellwireError {
  const { statusCode, message } = error as { statusCode?: number; message?: string };
  if (error instanceof BellwireError || statusCode === undefined || statusCode >= 500) return toBellwireError(error);
  if (statusCode === 413) return new BellwireError("too-large", `The body is longer than ${BODY_BYTES} bytes`);
  return new BellwireError("bad-request", message ?? "The request can't be read");
}

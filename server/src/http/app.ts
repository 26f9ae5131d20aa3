import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { BellwireError, type Code } from "@bellwire/protocol";
import { toBellwireError } from "../connection/failure.js";
import type { Logger } from "../observe/logger.js";
import { answerClientError } from "./client-error.js";
import { Offered } from "./offered.js";
import { boundRequests, HTTP_OPTIONS, PATIENCE } from "./patience.js";

declare module "fastify" {
  interface FastifyInstance {
    /** What is answered here at all. */
    readonly offered: Offered;
  }
}

const BODY_BYTES = 1_048_576;
// Who is over a limit is told when to come back, whether or not whoever refused knows.
const LIMIT_AFTER_MS = 1000;

/**
 * An HTTP server whose every error has the contract's shape, `{error: {code, message, retry}}`.
 * @param refused told of each of them; must not throw
 */
export function createApp(logger: Logger, refused?: (code: Code) => void): FastifyInstance {
  const answer = (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const known = httpError(error, request.headers["content-type"]);
    refused?.(known.code);
    if (known.code === "internal") logger.failure("http", known.cause ?? known);
    const after = known.after ?? (known.code === "limit" ? LIMIT_AFTER_MS : undefined);
    if (after !== undefined) reply.header("retry-after", Math.ceil(after / 1000));
    reply.code(known.status).send({ error: known.toJSON() });
  };
  const app = Fastify({
    bodyLimit: BODY_BYTES,
    // Data is data: a key such as __proto__ is an own one after parsing, and nothing here copies data by assignment.
    onProtoPoisoning: "ignore",
    onConstructorPoisoning: "ignore",
    forceCloseConnections: true,
    http: HTTP_OPTIONS,
    requestTimeout: PATIENCE.request,
    connectionTimeout: PATIENCE.silence,
    clientErrorHandler: (error, socket) => answerClientError(error, socket, refused),
    // What still comes in while a relay closes is answered like everything else, or refused by what is closed already.
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 256 },
    // Of requests that never reach the router, e.g. a URL that can't be decoded.
    frameworkErrors: (error, request, reply) => answer(error, request, reply),
  });
  boundRequests(app);
  // JSON alone is taken: a body of another type gets the sentence that says so, not one about what was read from it.
  app.removeContentTypeParser("text/plain");
  const offered = new Offered();
  app.decorate("offered", offered);
  app.addHook("onRoute", ({ url, method }) => offered.add(url, [method].flat()));
  // Before a body is read, or its type looked at: nobody takes it.
  app.addHook("onRequest", async (request, reply) => {
    if (!request.is404) return;
    const methods = offered.methodsFor(request.url);
    if (methods.length === 0) throw new BellwireError("not-found", "There is nothing here");
    refused?.("unsupported");
    const error = new BellwireError("unsupported", `${request.method} is not offered here: use ${methods.join(" or ")}`);
    return reply.code(405).header("allow", methods.join(", ")).send({ error: error.toJSON() });
  });
  app.setNotFoundHandler(() => undefined); // answered above
  app.setErrorHandler((error, request, reply) => answer(error, request, reply));
  return app;
}

/** Fastify's own refusals (broken JSON, wrong media type, too long a body) carry a status below 500. */
function httpError(error: unknown, type: string | undefined): BellwireError {
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string };
  if (error instanceof BellwireError || statusCode === undefined || statusCode >= 500) return toBellwireError(error);
  if (statusCode === 413) return new BellwireError("too-large", `The body is longer than ${BODY_BYTES} bytes`);
  if (statusCode === 415 || code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") {
    const instead = type === undefined || type === "" ? "there is no Content-Type" : `not ${JSON.stringify(type.slice(0, 100))}`;
    return new BellwireError("bad-request", `Send the body as JSON, with the header Content-Type: application/json (${instead})`);
  }
  return new BellwireError("bad-request", message ?? "The request can't be read");
}

import { STATUS_CODES, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import { BellwireError } from "@bellwire/protocol";

/** Milliseconds. */
export const PATIENCE = {
  /** For a request's headers. */
  headers: 10_000,
  /** For the whole of it. A phone on a bad line sends what it says by polling in seconds. */
  request: 20_000,
  /** How often Node looks whether one of the two is over. */
  look: 1000,
  /** Without a byte in either direction. Long polls are answered every 15 s, by a ping if by nothing else. */
  silence: 60_000,
  /** For the rest of a body whose request is answered already. */
  rest: 1000,
} as const;

/** Options of Node's HTTP server: nobody may take for ever to say what they want. */
export const HTTP_OPTIONS: ServerOptions = {
  headersTimeout: PATIENCE.headers,
  connectionsCheckingInterval: PATIENCE.look,
  // Refused here, in the contract's shape: Node's own answer has no body.
  requireHostHeader: false,
};

/** Node drops what is beyond it without a word, and with it perhaps the one that matters. */
const MOST_HEADERS = 200;

/** Ends requests that drip on after their answer, and answers what Node would answer in a shape of its own. */
export function boundRequests(app: FastifyInstance): void {
  app.server.maxHeadersCount = MOST_HEADERS;
  app.addHook("onRequest", async ({ raw }, reply) => {
    if (raw.rawHeaders.length >= 2 * MOST_HEADERS) {
      const error = new BellwireError("too-large", `A request may have ${MOST_HEADERS - 1} headers`);
      return reply.code(431).send({ error: error.toJSON() });
    }
    if (raw.headers.host === undefined && raw.httpVersion === "1.1") throw new BellwireError("bad-request", "Send the header Host");
  });
  app.addHook("onResponse", async ({ raw }) => {
    const { socket } = raw;
    // A request may be made up, by tools that know no network.
    if (raw.complete || !(socket instanceof Socket)) return;
    setTimeout(() => {
      if (!raw.complete) socket.destroy();
    }, PATIENCE.rest).unref();
  });
  app.server.on("checkExpectation", (_request: IncomingMessage, response: ServerResponse) => answerExpectation(response));
}

/**
 * Where connections are handed over by somebody else, a server never listens; but it is only from then on that Node looks at the
 * time that requests take.
 */
export function mindTime(server: Server): void {
  server.emit("listening");
}

function answerExpectation(response: ServerResponse): void {
  const status = 417;
  const error = new BellwireError("bad-request", `${STATUS_CODES[status]}: send no header Expect, or 100-continue`);
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", connection: "close" });
  response.end(JSON.stringify({ error: error.toJSON() }));
}

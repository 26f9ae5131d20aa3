import type { IncomingMessage, ServerResponse } from "node:http";

/**
 * Serves a web-standard handler with `node:http`, Express and the like:
 * `app.use("/realtime", toNodeHandler(endpoint))`. A body that a parser has read already (`req.body`) is used. Never throws.
 */
export function toNodeHandler(
  handler: (request: Request, req?: IncomingMessage) => Promise<Response>,
): (req: IncomingMessage, res: ServerResponse) => void {
  return (req, res) => {
    res.on("error", ignore); // the browser has gone
    serve(handler, req, res).catch(() => {
      if (!res.headersSent) res.statusCode = 500;
      res.end();
    });
  };
}

async function serve(
  handler: (request: Request, req?: IncomingMessage) => Promise<Response>,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const response = await handler(toRequest(req), req);
  const body = Buffer.from(await response.arrayBuffer());
  if (res.destroyed || res.writableEnded) return;
  res.statusCode = response.status;
  for (const [name, value] of response.headers) if (name !== "set-cookie") res.setHeader(name, value);
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) res.setHeader("set-cookie", cookies);
  // Answered before the body was there: no further request can follow it on this connection.
  if (!req.complete) res.setHeader("connection", "close");
  res.end(body);
}

function toRequest(req: IncomingMessage): Request {
  const headers = new Headers();
  for (let i = 0; i + 1 < req.rawHeaders.length; i += 2) {
    const name = req.rawHeaders[i] as string;
    if (!name.startsWith(":")) headers.append(name, req.rawHeaders[i + 1] as string); // HTTP/2 has ":method" and the like
  }
  const method = req.method ?? "GET";
  const body = method === "GET" || method === "HEAD" ? {} : bodyOf(req);
  return new Request(urlOf(req), { method, headers, ...body });
}

function urlOf(req: IncomingMessage & { originalUrl?: unknown }): string {
  const path = typeof req.originalUrl === "string" ? req.originalUrl : (req.url ?? "/");
  const protocol = "encrypted" in req.socket ? "https" : "http";
  const url = `${protocol}://${req.headers.host ?? "localhost"}${path.startsWith("/") ? path : "/"}`;
  // Clients choose the Host header.
  return URL.canParse(url) ? url : `${protocol}://localhost/`;
}

function bodyOf(req: IncomingMessage & { body?: unknown }): { body: NonNullable<RequestInit["body"]>; duplex?: "half" } {
  const { body } = req;
  if (body === undefined) return { body: streamOf(req), duplex: "half" };
  if (typeof body === "string" || body instanceof Uint8Array) return { body };
  return { body: JSON.stringify(body) };
}

/** Cancelling it drains the request instead of destroying it, so that the refusal can still be sent. */
function streamOf(req: IncomingMessage): ReadableStream<Uint8Array> {
  let release = ignore;
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      const onData = (chunk: Uint8Array): void => {
        controller.enqueue(chunk);
        if ((controller.desiredSize ?? 0) <= 0) req.pause();
      };
      const onEnd = (): void => {
        release();
        controller.close();
      };
      const onError = (error: Error): void => {
        release();
        controller.error(error);
      };
      release = () => {
        req.off("data", onData).off("end", onEnd).off("error", onError);
        req.on("error", ignore);
      };
      req.on("data", onData).on("end", onEnd).on("error", onError);
    },
    pull: () => void req.resume(),
    cancel: () => {
      release();
      req.resume();
    },
  });
}

function ignore(): void {}

import type { Socket } from "node:net";
import { STATUS_CODES } from "node:http";
import { BellwireError, type Code } from "@bellwire/protocol";

/**
 * Answers what is no HTTP request, or too large a one, in the shape of every error, and ends the connection.
 * @param refused told of the code that is answered
 */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket, refused?: (code: Code) => void): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  const [status, known] = refusalOf(error.code);
  refused?.(known.code);
  const body = JSON.stringify({ error: known.toJSON() });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Content-Type: application/json; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  // Whoever does not read it gets no more.
  if (socket.writable) socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  socket.destroy(error);
}

function refusalOf(code: string | undefined): [status: number, error: BellwireError] {
  if (code === "HPE_HEADER_OVERFLOW")
    return [431, new BellwireError("too-large", "URL and headers together are longer than 16 KiB: ask for less at a time")];
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return [408, new BellwireError("timeout", "The request took too long to come in")];
  return [400, new BellwireError("bad-request", "This is no HTTP request")];
}

import type { JsonObject } from "@bellwire/protocol";
import type { Link } from "./connection/link.js";
import { ClientError } from "./errors.js";

/** The most calls that wait for a connection. */
const MAX_WAITING = 1000;

/** Questions to the relay that the application awaits. They wait for a connection, but never longer than their timeout. */
export class Calls {
  readonly #waiting = new Set<{ send(link: Link): void; fail(error: ClientError): void }>();
  #link: Link | undefined;

  /** @param timeout milliseconds, for the wait and the answer together */
  call(event: string, payload: unknown, timeout: number): Promise<JsonObject> {
    const deadline = Date.now() + timeout;
    return new Promise((resolve, reject) => {
      const send = (link: Link): void =>
        link.request(event, payload, Math.max(deadline - Date.now(), 1), (error, reply) =>
          error === undefined ? resolve(reply) : reject(error),
        );
      if (this.#link !== undefined) return send(this.#link);
      if (this.#waiting.size >= MAX_WAITING)
        return reject(new ClientError({ code: "limit", message: "Too many calls wait for a connection" }));
      const end = (then: () => void): void => {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
        then();
      };
      const waiting = { send: (link: Link) => end(() => send(link)), fail: (error: ClientError) => end(() => reject(error)) };
      const timer = setTimeout(
        () => waiting.fail(new ClientError({ code: "timeout", message: `There was no connection within ${timeout / 1000} s` })),
        timeout,
      );
      this.#waiting.add(waiting);
    });
  }

  up(link: Link): void {
    this.#link = link;
    for (const { send } of [...this.#waiting]) send(link);
  }

  down(): void {
    this.#link = undefined;
  }

  /** There will be no connection. */
  fail(error: ClientError): void {
    for (const waiting of [...this.#waiting]) waiting.fail(error);
  }
}

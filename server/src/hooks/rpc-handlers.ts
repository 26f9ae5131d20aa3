import type { RpcQuestion } from "./hooks.js";

/**
 * Answers a method. What it returns is the reply's data; to refuse, throw `refuse(code, message)` or another BellwireError.
 */
export type RpcHandler = (call: RpcQuestion) => unknown;

/** The methods that are answered in this process. */
export class RpcHandlers {
  readonly #exact = new Map<string, RpcHandler>();
  readonly #prefixes = new Map<string, RpcHandler>();

  /**
   * @param method a name, or a prefix that ends in `*`
   * @throws TypeError for a method that has a handler already, or a handler that is no function
   * @example
   * handlers.handle("ping", () => "pong");
   */
  handle(method: string, handler: RpcHandler): void {
    if (typeof method !== "string" || method === "") throw new TypeError("A method is a name, or a prefix that ends in *");
    if (typeof handler !== "function") throw new TypeError(`The handler of the method ${JSON.stringify(method)} is not a function`);
    const [map, name] = method.endsWith("*") ? [this.#prefixes, method.slice(0, -1)] : [this.#exact, method];
    if (map.has(name)) throw new TypeError(`The method ${JSON.stringify(method)} has a handler already`);
    map.set(name, handler);
  }

  /** The handler of this very name, else the one of its longest prefix. */
  find(method: string): RpcHandler | undefined {
    const exact = this.#exact.get(method);
    if (exact !== undefined) return exact;
    let best: string | undefined;
    for (const prefix of this.#prefixes.keys()) {
      if (method.startsWith(prefix) && prefix.length >= (best?.length ?? 0)) best = prefix;
    }
    return best === undefined ? undefined : this.#prefixes.get(best);
  }

  get size(): number {
    return this.#exact.size + this.#prefixes.size;
  }
}

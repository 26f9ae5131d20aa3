import type { Namespace, Server } from "socket.io";

/** What of socket.io's bookkeeping has to be emptied by hand; feature-detected, and without it namespaces merely stay. */
interface Internals {
  readonly _nsps?: Map<string, Namespace>;
}

/**
 * Counts who is on the way into each dynamic namespace, and removes a namespace with its last client. socket.io's own
 * `cleanupEmptyChildNamespaces` does not see a socket that is still in middleware, and leaves a namespace behind for every refusal.
 */
export class Namespaces {
  readonly #io: Server;
  readonly #parent: Namespace;
  readonly #entering = new Map<Namespace, number>();

  constructor(io: Server, parent: Namespace) {
    this.#io = io;
    this.#parent = parent;
  }

  /** Site namespaces open now. */
  get size(): number {
    return childrenOf(this.#parent)?.size ?? 0;
  }

  enter(namespace: Namespace): void {
    this.#entering.set(namespace, (this.#entering.get(namespace) ?? 0) + 1);
  }

  /** To be called once for each `enter`, when the socket was admitted or refused. */
  entered(namespace: Namespace): void {
    // socket.io admits in a later tick than it is told to; by the next turn the socket is in, or gone.
    setImmediate(() => {
      const left = (this.#entering.get(namespace) ?? 1) - 1;
      if (left > 0) this.#entering.set(namespace, left);
      else this.#entering.delete(namespace);
      this.reap(namespace);
    });
  }

  /** Removes a namespace that nobody is in or on the way into. */
  reap(namespace: Namespace): void {
    if (namespace.sockets.size > 0 || this.#entering.has(namespace)) return;
    const { _nsps } = this.#io as unknown as Internals;
    if (_nsps?.get(namespace.name) !== namespace) return;
    namespace.adapter.close()?.catch?.(() => undefined);
    _nsps.delete(namespace.name);
    childrenOf(this.#parent)?.delete(namespace);
  }
}

function childrenOf(parent: Namespace): Set<Namespace> | undefined {
  return (parent as unknown as { children?: Set<Namespace> }).children;
}

import type { Command } from "@bellwire/emitter/internal";
import type { MemoryRevocations } from "../revocations/memory-store.js";
import type { ControlBus, ControlListener } from "./control-bus.js";
import { sumCounts, type ClusterCounts } from "./counts.js";

/** The bus of a relay that is alone. */
export class MemoryBus implements ControlBus {
  readonly #revocations: MemoryRevocations;
  #listener: ControlListener | undefined;

  constructor(revocations: MemoryRevocations) {
    this.#revocations = revocations;
  }

  start(listener: ControlListener): void {
    this.#listener = listener;
  }

  async send(command: Command): Promise<void> {
    if (command.kind === "revoke") this.#revocations.add(command);
    // As from a wire: in a later turn than the sender's call, in order.
    setImmediate(() => this.#listener?.command(command));
  }

  async counts(): Promise<ClusterCounts> {
    return sumCounts(this.#listener === undefined ? [] : [this.#listener.counts()], 0);
  }

  close(): void {
    this.#listener = undefined;
  }
}

import type { Command } from "@bellwire/emitter/commands";
import type { MemoryRevocations } from "./revocations.js";
import type { HeldStore } from "../held.js";
import type { ControlBus, ControlListener } from "../bus.js";
import { sumCounts, type ClusterCounts } from "../counts.js";
import type { WatchQuestion } from "../watch-question.js";

/** The bus of a relay that is alone. */
export class MemoryBus implements ControlBus {
  readonly #revocations: MemoryRevocations;
  readonly #held: HeldStore;
  #listener: ControlListener | undefined;

  constructor(revocations: MemoryRevocations, held: HeldStore) {
    this.#revocations = revocations;
    this.#held = held;
  }

  start(listener: ControlListener): void {
    this.#listener = listener;
  }

  async send(command: Command): Promise<void> {
    if (command.kind === "revoke") this.#revocations.add(command);
    if (command.kind === "subscribe") await this.#held.add(command);
    else if (command.kind !== "disconnect") await this.#held.remove(command);
    // As from a wire: in a later turn than the sender's call, in order.
    setImmediate(() => this.#listener?.command(command));
  }

  async counts(): Promise<ClusterCounts> {
    return sumCounts(this.#listener === undefined ? [] : [this.#listener.counts()], 0);
  }

  async watched(question: WatchQuestion): Promise<boolean> {
    return this.#listener?.watches(question) ?? true;
  }

  close(): void {
    this.#listener = undefined;
  }
}

import { BellwireError, type Code, type Position } from "@bellwire/protocol";
import type { Command, Publication, Transport } from "@bellwire/emitter";

type Step = Code | BellwireError | Error | "ok" | "hang";

/** A transport that answers by a script; after its end everything succeeds. */
export class ScriptedTransport implements Transport {
  readonly attempts: { publication: Publication; timeout: number }[] = [];
  readonly commands: Command[] = [];
  closed = false;
  readonly #steps: Step[];
  readonly #offsets = new Map<string, number>();

  constructor(...steps: Step[]) {
    this.#steps = steps;
  }

  get publications(): Publication[] {
    return this.attempts.map(({ publication }) => publication);
  }

  append(publication: Publication, timeout: number): Promise<Position> {
    this.attempts.push({ publication, timeout });
    return this.#step(() => {
      const offset = (this.#offsets.get(publication.topic) ?? 0) + 1;
      this.#offsets.set(publication.topic, offset);
      return { epoch: "e", offset };
    });
  }

  control(command: Command): Promise<void> {
    this.commands.push(command);
    return this.#step(() => undefined);
  }

  #step<T>(ok: () => T): Promise<T> {
    const step = this.#steps.shift() ?? "ok";
    if (step === "hang") return new Promise(() => undefined);
    if (step instanceof Error) return Promise.reject(step);
    if (step !== "ok") return Promise.reject(new BellwireError(step, `scripted ${step}`));
    return Promise.resolve(ok());
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** What a promise was refused with; fails where it wasn't. */
export async function refusal(promise: Promise<unknown>): Promise<BellwireError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof BellwireError) return error;
    throw error;
  }
  throw new Error("It resolved, and was expected to reject");
}

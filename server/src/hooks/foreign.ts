import { BellwireError } from "@bellwire/protocol";
import { Disconnected } from "./hooks.js";
import { BadReply } from "./replies.js";

/** Told of what application code threw, or answered, that was neither a reply nor a refusal. Must not throw. */
export type Report = (error: unknown, stage: string) => void;

/**
 * Runs application code, which may throw anything, answer anything, or never come back.
 * @param timeout milliseconds
 * @throws BellwireError: its own, `timeout`, or `internal` for whatever else went wrong; Disconnected
 */
export async function foreign<T>(stage: string, timeout: number, report: Report, run: () => T | Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const error = new BellwireError("timeout", "The application did not answer in time");
      report(error, stage);
      reject(error);
    }, timeout);
  });
  try {
    return await Promise.race([Promise.resolve().then(run), late]);
  } catch (error) {
    if (error instanceof BellwireError || error instanceof Disconnected) throw error;
    report(error instanceof BadReply ? new TypeError(`The answer can't be used: ${error.message}`) : error, stage);
    // Its message may tell what the client may not know.
    throw new BellwireError("internal", "Something went wrong in the application", { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

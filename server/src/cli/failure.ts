import { debuglog } from "node:util";
import { BellwireError, type WireError } from "@bellwire/protocol";
import { CommanderError } from "commander";
import { ConfigError } from "../config/reader.js";

export const FAILED = 1;
export const WRONG_USE = 2;

/** A command was called wrongly, as one clear line. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

/** A command could not do what it was asked to, as one clear line. */
export class Failure extends Error {
  override readonly name: string = "Failure";
  /** The relay's error, where it was one that refused. */
  readonly refusal: WireError | undefined;

  constructor(message: string, refusal?: WireError) {
    super(message);
    this.refusal = refusal;
  }
}

/** Whether a refused token was refused for its times: one that was signed a moment ago can only be so where two clocks differ. */
export function isAboutClocks({ code, message }: WireError): boolean {
  return code === "token-expired" || (code === "token-invalid" && /\b(iat|nbf|clocks?|future)\b/i.test(message));
}

/**
 * Runs a check of something that was typed.
 * @throws UsageError in place of its BellwireError or TypeError
 */
export function typed<T>(check: () => T, before: string = ""): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof BellwireError || error instanceof TypeError) throw new UsageError(before + error.message);
    throw error;
  }
}

/** Ends the process: 2 for wrong use and wrong settings, 1 for all else. `NODE_DEBUG=bellwire` shows where it came from. */
export function report(error: unknown): void {
  debuglog("bellwire")("%s", error instanceof Error ? error.stack : error);
  if (!(error instanceof CommanderError)) {
    return exitWith(wordsOf(error), error instanceof UsageError || error instanceof ConfigError ? WRONG_USE : FAILED);
  }
  // Help that was asked for is printed already.
  if (error.exitCode === 0) return;
  exitWith(`${error.code === "commander.help" ? "which command?" : error.message.replace(/^error: /, "")} (bellwire --help)`);
}

function wordsOf(error: unknown): string {
  if (error instanceof BellwireError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message || error.name : String(error);
}

/** One line on standard error, and the end. */
export function exitWith(message: string, status: number = WRONG_USE): never {
  process.stderr.write(`bellwire: ${message.replace(/\s+/g, " ")}\n`);
  process.exit(status);
}

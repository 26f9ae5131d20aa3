import { Command } from "commander";
import { config as loadDotenv } from "dotenv";
import { readConfig } from "./config/config.js";
import { ConfigError } from "./config/reader.js";
import { Relay } from "./relay.js";

const WRONG_SETTING = 2;

/** The command `bellwire`. */
export async function main(argv: readonly string[]): Promise<void> {
  // Real variables win over the file's.
  loadDotenv({ quiet: true });
  const program = new Command("bellwire").description("Self-hosted realtime notifications").showHelpAfterError();
  program.command("serve").description("Run a relay").action(serve);
  await program.parseAsync(argv);
}

async function serve(): Promise<void> {
  try {
    const relay = new Relay({ config: readConfig(process.env), onFatal: (message) => exitWith(message) });
    await relay.start();
    const stop = (): void => {
      relay.close().then(
        () => process.exit(0),
        (error: unknown) => exitWith(String(error), 1),
      );
    };
    process.once("SIGINT", stop);
    process.once("SIGTERM", stop);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    exitWith(error.message);
  }
}

function exitWith(message: string, status: number = WRONG_SETTING): never {
  process.stderr.write(`bellwire: ${message}\n`);
  process.exit(status);
}

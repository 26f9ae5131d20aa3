import cluster from "node:cluster";
import { Command } from "commander";
import { config as loadDotenv } from "dotenv";
import { readConfig } from "./config/config.js";
import { ConfigError } from "./config/reader.js";
import { Relay } from "./relay.js";
import { parseWorkers, runPrimary, runWorker } from "./workers.js";

const WRONG_SETTING = 2;

/** The command `bellwire`. */
export async function main(argv: readonly string[]): Promise<void> {
  // Real variables win over the file's.
  loadDotenv({ quiet: true });
  const program = new Command("bellwire").description("Self-hosted realtime notifications").showHelpAfterError();
  program
    .command("serve")
    .description("Run a relay")
    .option("--workers <number>", "processes to run on this machine's cores; more than one needs Redis", "1")
    .action(serve);
  await program.parseAsync(argv);
}

async function serve({ workers }: { workers: string }): Promise<void> {
  try {
    if (cluster.isWorker) return await runWorker(stopOnSignals, exitWith);
    const count = parseWorkers(workers);
    const config = readConfig(process.env);
    if (count > 1) return await runPrimary(count, config, exitWith);
    const relay = new Relay({ config, onFatal: (message) => exitWith(message) });
    await relay.start();
    stopOnSignals(relay);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    exitWith(error.message);
  }
}

/** SIGTERM, as a deploy sends it, drains first; Ctrl-C, or a second signal, closes at once. */
function stopOnSignals(relay: Relay): void {
  let closing = false;
  const close = (): void => {
    if (closing) return;
    closing = true;
    relay.close().then(
      () => process.exit(0),
      (error: unknown) => exitWith(String(error), 1),
    );
  };
  process.on("SIGINT", close);
  process.once("SIGTERM", () => {
    process.on("SIGTERM", close);
    relay.drain().then(close, close);
  });
}

function exitWith(message: string, status: number = WRONG_SETTING): never {
  process.stderr.write(`bellwire: ${message.replace(/\s+/g, " ")}\n`);
  process.exit(status);
}

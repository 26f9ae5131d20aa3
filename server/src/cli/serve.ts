import cluster from "node:cluster";
import { readConfig } from "../config/config.js";
import { Relay } from "../relay/relay.js";
import { parseWorkers, runPrimary, runWorker } from "../relay/workers.js";
import { exitWith, FAILED } from "./failure.js";

/** Runs a relay, or several as worker processes, until a signal. @throws ConfigError */
export async function serve({ workers }: { workers: string }): Promise<void> {
  if (cluster.isWorker) return runWorker(stopOnSignals, exitWith);
  const count = parseWorkers(workers);
  const config = readConfig(process.env);
  if (count > 1) return runPrimary(count, config, exitWith);
  const relay = new Relay({ config, onFatal: (message) => exitWith(message) });
  await relay.start();
  stopOnSignals(relay);
}

/** SIGTERM, as a deploy sends it, drains first; Ctrl-C, or a second signal, closes at once. */
function stopOnSignals(relay: Relay): void {
  let closing = false;
  const close = (): void => {
    if (closing) return;
    closing = true;
    relay.close().then(
      () => process.exit(0),
      (error: unknown) => exitWith(String(error), FAILED),
    );
  };
  process.on("SIGINT", close);
  process.once("SIGTERM", () => {
    process.on("SIGTERM", close);
    relay.drain().then(close, close);
  });
}

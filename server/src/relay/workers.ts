import cluster, { type Worker } from "node:cluster";
import { createServer } from "node:http";
import type { Socket } from "node:net";
import { setupMaster, setupWorker } from "@socket.io/sticky";
import { readConfig, type Config } from "../config/config.js";
import { ConfigError } from "../config/reader.js";
import { createLogger, type Logger } from "../observe/logger.js";
import { Relay } from "./relay.js";

const MOST_WORKERS = 256;
// A worker that dies at once is started again ever later: whatever kills it should not also fill the disk with its words.
const RESTART_MS = { least: 500, most: 30_000 } as const;
const HEALTHY_MS = 10_000;

/** What a worker tells its primary once it takes connections. */
const READY = "bellwire:ready";

/** A worker as `@socket.io/sticky` sees it, which goes by the least of these. */
type Counted = Worker & { clientsCount?: number };

/** Reads `--workers`. @throws ConfigError */
export function parseWorkers(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > MOST_WORKERS) {
    throw new ConfigError(`--workers must be a whole number from 1 to ${MOST_WORKERS}, not "${text}"`);
  }
  return count;
}

/**
 * Runs several relays as worker processes behind one port. Each is a relay like any other, with the same guarantees: they know
 * of each other through Redis only. The primary hands each connection to one of them; polling clients keep theirs by session id.
 * @throws ConfigError without Redis, since memory would split the log, or where the port is taken
 */
export async function runPrimary(count: number, config: Config, fail: (message: string) => void): Promise<void> {
  if (config.redis === undefined)
    throw new ConfigError("--workers above 1 needs REDIS_URL or REDIS_HOST: in memory each worker would have a log of its own");
  const logger = createLogger();
  for (const warning of config.warnings) logger.warn(warning);
  const server = createServer();
  cluster.setupPrimary({ serialization: "advanced" });
  // Until there is a worker to hand connections to.
  server.on("request", (_request, response) => {
    response.writeHead(503, { "content-type": "application/json", connection: "close" }).end('{"status":"starting"}');
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE";
      reject(
        new ConfigError(
          `Can't listen: ${taken ? `port ${config.port} is taken: stop what listens there, or set REALTIME_WS_PORT` : error.message}`,
        ),
      );
    });
    server.listen({ port: config.port, ...(config.host === undefined ? {} : { host: config.host }) }, resolve);
  });
  logger.listening(config.port);
  let handsOn = false;
  const stopped = keepWorkers(count, config, logger, fail, () => {
    if (handsOn) return;
    handsOn = true;
    setupMaster(server, { loadBalancingMethod: "least-connection" });
    server.on("connection", readNoFurther);
  });
  await stopped;
  server.close();
  process.exit(0);
}

/** Headers of requests whose rest the primary passes on, as `@socket.io/sticky` decides it. */
const WITH_BODY = /\r\n(?:content-length|transfer-encoding):/i;

/**
 * A connection that is handed to a worker stays open here until the worker has said that it has it. What the client sends
 * meanwhile, such as the CONNECT right after the upgrade, would be read here and get lost: so nothing is read any more.
 */
function readNoFurther(socket: Socket): void {
  socket.prependOnceListener("data", (chunk: Buffer) => {
    if (WITH_BODY.test(chunk.toString("latin1"))) return;
    (socket as unknown as { _handle?: { readStop?: () => void } | null })._handle?.readStop?.();
  });
}

/** Starts workers, and again those that die, until the primary is told to stop; resolves when all have ended then. */
function keepWorkers(count: number, config: Config, logger: Logger, fail: (message: string) => void, onReady: () => void): Promise<void> {
  let stopping = false;
  const delays = new Map<number, number>();

  const start = (index: number): void => {
    const begun = Date.now();
    const worker = cluster.fork(workerEnvironment(config, index)) as Counted;
    // A worker that still starts would lose what it is handed: until it is ready, every other one has fewer clients.
    worker.clientsCount = Number.MAX_SAFE_INTEGER;
    worker.on("message", (message: unknown) => {
      if (message !== READY) return;
      worker.clientsCount = 0;
      onReady();
    });
    // What was on its way to a worker that has just died can't be sent. "exit" follows, and says so.
    worker.on("error", () => undefined);
    worker.once("exit", (status: number) => {
      if (stopping) return;
      // The settings are wrong, and will be the next time.
      if (status === 2) return fail("A worker found the settings wrong");
      const delay =
        Date.now() - begun > HEALTHY_MS ? RESTART_MS.least : Math.min((delays.get(index) ?? RESTART_MS.least / 2) * 2, RESTART_MS.most);
      delays.set(index, delay);
      logger.warn(`Worker ${index} ended with ${status ?? "a signal"}; starting another in ${delay} ms`);
      setTimeout(() => {
        if (!stopping) start(index);
      }, delay);
    });
  };
  for (let index = 0; index < count; index++) start(index);

  return new Promise((resolve) => {
    const workers = (): Worker[] => Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
    const stop = (signal: NodeJS.Signals): void => {
      stopping = true;
      for (const worker of workers()) worker.process.kill(signal);
      const look = setInterval(() => {
        if (workers().length > 0) return;
        clearInterval(look);
        resolve();
      }, 100);
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
  });
}

/** What only the primary knows: keys that it made up, and which worker this is. */
function workerEnvironment(config: Config, index: number): Record<string, string> {
  const [key, ...previous] = config.keys.keys.map((entry) => entry.key);
  const apiKey = config.apiKeys.find(({ sites }) => sites === undefined)?.key;
  return {
    APP_KEY: key as string,
    APP_PREVIOUS_KEYS: previous.join(","),
    BELLWIRE_WORKER: String(index),
    ...(apiKey === undefined ? {} : { REALTIME_API_KEY: apiKey }),
    // Each worker has numbers of its own to be scraped.
    ...(config.internalPort === undefined ? {} : { REALTIME_INTERNAL_PORT: String(config.internalPort + index) }),
  };
}

/** One relay of several: its primary hands it connections. */
export async function runWorker(stopOnSignals: (relay: Relay) => void, fail: (message: string) => void): Promise<void> {
  const config = { ...readConfig(process.env), warnings: [] };
  const relay = new Relay({
    config,
    onFatal: fail,
    takesConnections: (http, gateway) => {
      if (gateway !== undefined) setupWorker(gateway.io);
      else process.on("message", (_message, socket) => void (socket !== undefined && http.emit("connection", socket)));
    },
  });
  await relay.start();
  process.send?.(READY);
  stopOnSignals(relay);
}

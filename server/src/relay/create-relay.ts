import type { Server as HttpServer } from "node:http";
import { createEmitter, type Emitter } from "@bellwire/emitter";
import { readConfig } from "../config/config.js";
import type { FileInput } from "../config/file.js";
import type { Environment } from "../config/reader.js";
import { createLocalHooks, type HookFunctions, type LocalHookOptions } from "../hooks/local-hooks.js";
import { RpcHandlers, type RpcHandler } from "../hooks/rpc-handlers.js";
import { createLogger, type Logger } from "../observe/logger.js";
import { Relay } from "./relay.js";

/** A relay in the application's own process. */
export interface RelayInProcessOptions extends Pick<LocalHookOptions, "topics" | "interceptors" | "timeout"> {
  /**
   * The application's HTTP server, that of Express or Fastify too; it listens by itself. The relay takes what it answers below the path
   * of REALTIME_PUBLIC_URL, or below `/bellwire` where that has none, and then also `/socket.io/`, unless the application has a taker of
   * upgrades already; everything else stays the application's. Its listeners of `request` and `upgrade` have to be there before
   * `start`: later ones would see the relay's requests too. Default: the relay listens on its own port.
   */
  readonly server?: HttpServer | undefined;
  /** Settings as environment variables. Default: `process.env`. */
  readonly env?: Environment | undefined;
  /** What the file of REALTIME_CONFIG would say; that file is then not read. */
  readonly settings?: FileInput | undefined;
  /** Answers to the relay's questions; the same events as those of hooks over HTTP, which are asked where there is no function. */
  readonly hooks?: HookFunctions | undefined;
  readonly logger?: Logger | undefined;
}

/** What `createRelay` makes. */
export interface RelayInProcess {
  /** The port that it listens on; that of `server` is the application's to know. */
  readonly port: number;
  readonly relay: Relay;
  /** Publishes and controls from this process, without a way over HTTP; with Redis, what it does concerns all relays. */
  readonly emitter: Emitter;
  /**
   * Answers an RPC method.
   * @param method a name, or a prefix that ends in `*`
   * @throws TypeError for a method that has a handler already
   * @example
   * relay.handle("ping", () => "pong");
   */
  handle(method: string, handler: RpcHandler): void;
  /** Starts listening, or takes its place in `server`. Rejects with a ConfigError. */
  start(): Promise<void>;
  /** Closes all sockets and connections; `server` stays as it was before. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Makes a relay that lives in the application's process.
 *
 * @example
 * const relay = createRelay({
 *   server,
 *   hooks: { connect: ({ headers }) => ({ user: userOf(headers.cookie) }) },
 *   topics: { "user.{id}": ({ id }, user) => user.id === id },
 * });
 * relay.handle("ping", () => "pong");
 * await relay.start();
 *
 * @throws ConfigError for a setting that is wrong; TypeError for a hook, rule or interceptor that can't be one
 */
export function createRelay(options: RelayInProcessOptions = {}): RelayInProcess {
  const { server, env = process.env, settings, hooks, topics, interceptors, timeout } = options;
  const handlers = new RpcHandlers();
  const logger = options.logger ?? createLogger();
  const report = (error: unknown, stage: string): void => logger.failure(stage, error);
  const relay: Relay = new Relay({
    config: readConfig(env, settings),
    logger,
    server,
    hooks: createLocalHooks({
      hooks,
      topics,
      interceptors,
      timeout,
      handlers,
      report,
      observe: (event, outcome) => relay.stats.countHook(event, outcome),
    }),
  });
  const close = async (): Promise<void> => {
    await emitter.close();
    await relay.close();
  };
  const emitter = createEmitter({
    transport: relay.transport,
    enabled: relay.config.enabled,
    maxDataBytes: relay.config.limits.dataBytes,
  });
  return {
    relay,
    emitter,
    get port() {
      return relay.port;
    },
    handle: (method, handler) => handlers.handle(method, handler),
    start: () => relay.start(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

import { randomBytes } from "node:crypto";
import { readConfig } from "../config/config.js";
import type { Environment } from "../config/reader.js";
import { createLogger } from "../observe/logger.js";
import { Relay, type RelayOptions } from "./relay.js";

export interface TestRelayOptions {
  /** Settings as environment variables; the keys are random and the port is free unless given here. Nothing is read from the process's environment. */
  readonly env?: Environment;
  readonly timing?: RelayOptions["timing"];
  /** Receives what the relay would print; default: nobody. */
  readonly onLog?: (line: string) => void;
}

/** A relay inside a test's process. */
export interface TestRelay {
  readonly relay: Relay;
  readonly port: number;
  /** For browser clients. */
  readonly url: string;
  /** For emitters. */
  readonly httpUrl: string;
  readonly appKey: string;
  readonly apiKey: string;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a relay for unit tests: in memory unless `env` names a Redis, on a free port of 127.0.0.1.
 *
 * @example
 * const relay = await createTestRelay();
 * const emitter = createEmitter({ url: relay.httpUrl, apiKey: relay.apiKey });
 */
export async function createTestRelay(options: TestRelayOptions = {}): Promise<TestRelay> {
  const appKey = options.env?.APP_KEY ?? `base64:${randomBytes(32).toString("base64")}`;
  const apiKey = options.env?.REALTIME_API_KEY ?? randomBytes(24).toString("base64url");
  const config = readConfig({
    REALTIME_WS_PORT: "0",
    REALTIME_WS_HOST: "127.0.0.1",
    ...options.env,
    APP_KEY: appKey,
    REALTIME_API_KEY: apiKey,
  });
  const relay = new Relay({
    config,
    logger: createLogger({ sentences: true, write: options.onLog ?? (() => undefined) }),
    ...(options.timing === undefined ? {} : { timing: options.timing }),
  });
  await relay.start();
  const { port } = relay;
  const close = (): Promise<void> => relay.close();
  return {
    relay,
    port,
    url: `ws://127.0.0.1:${port}`,
    httpUrl: `http://127.0.0.1:${port}`,
    appKey,
    apiKey,
    close,
    [Symbol.asyncDispose]: close,
  };
}

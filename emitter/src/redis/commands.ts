import { Emitter as SocketEmitter } from "@socket.io/redis-emitter";
import { BellwireError } from "@bellwire/protocol";
import type { Command, RevokeCommand } from "../control/command.js";
import { MAX_REVOCATIONS, REVOCATION_LIFE_MS, revocationText } from "../control/revocation.js";
import { whenReady, type RedisClient } from "./connect.js";
import { redisFailure, within } from "./failure.js";
import type { Keys } from "./keys.js";
import { withRevocationCommands, type RevocationCommands } from "./scripts.js";

/** The one namespace that relays share over Redis. */
export const CONTROL_NAMESPACE = "/control";

/** The event on it that carries a command. */
export const COMMAND_EVENT = "command";

/** Tells all relays of commands, through Redis. */
export class RedisCommands {
  readonly #redis: RedisClient & RevocationCommands;
  readonly #keys: Keys;
  readonly #control: SocketEmitter;
  /** What redis-emitter has published within the present call. */
  #sent: Promise<unknown> = Promise.resolve();

  constructor(redis: RedisClient, keys: Keys) {
    this.#redis = withRevocationCommands(redis);
    this.#keys = keys;
    // redis-emitter forgets the promise of its publish: an unreachable Redis would end the process as an unhandled rejection.
    const client = {
      publish: (channel: string, payload: string): void => {
        this.#sent = this.#redis.publish(channel, payload);
      },
    };
    this.#control = new SocketEmitter(client, { key: keys.control() }).of(CONTROL_NAMESPACE);
  }

  /** Rejects with a BellwireError within `timeout` milliseconds: `unavailable` (send it again, that is harmless), `limit` or `internal`. */
  async send(command: Command, timeout: number): Promise<void> {
    const deadline = performance.now() + timeout;
    const left = (): number => Math.max(1, deadline - performance.now());
    try {
      // Nothing is queued inside ioredis, where it would outlive its caller.
      await whenReady(this.#redis, timeout);
      // Stored before it is told: a relay that is away now reads it when it is back.
      if (command.kind === "revoke") await within(this.#store(command), left(), "The revocation");
      await within(this.#tell(command), left(), "The command");
    } catch (error) {
      throw redisFailure(error);
    }
  }

  async #store(command: RevokeCommand): Promise<void> {
    const reply = await this.#redis.bellwireRevoke(this.#keys.revocations(), revocationText(command), REVOCATION_LIFE_MS, MAX_REVOCATIONS);
    if (reply === "full") throw new BellwireError("limit", `More than ${MAX_REVOCATIONS} revocations are in force`);
  }

  #tell(command: Command): Promise<unknown> {
    this.#control.serverSideEmit(COMMAND_EVENT, command);
    return this.#sent;
  }
}

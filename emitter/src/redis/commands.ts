import { Emitter as SocketEmitter } from "@socket.io/redis-emitter";
import { BellwireError } from "@bellwire/protocol";
import type { Command, RevokeCommand } from "../control/command.js";
import { MAX_REVOCATIONS, REVOCATION_LIFE_MS, revocationText } from "../control/revocation.js";
import { Turns } from "../control/turns.js";
import { whenReady, type RedisClient } from "./connect.js";
import { redisFailure } from "./failure.js";
import { within } from "../time.js";
import { RedisHeld } from "./held.js";
import type { Keys } from "./keys.js";
import { withRevokeCommands, type RevokeCommands } from "./scripts.js";

/** The one namespace that relays share over Redis. */
export const CONTROL_NAMESPACE = "/control";

/** The event on it that carries a command. */
export const COMMAND_EVENT = "command";

// Commands under way, each about another target.
const MAX_COMMANDS = 256;

/** Stores commands and tells all relays of them, through Redis. */
export class RedisCommands {
  readonly #redis: RedisClient & RevokeCommands;
  readonly #keys: Keys;
  readonly #held: RedisHeld;
  readonly #turns = new Turns(MAX_COMMANDS);
  readonly #control: SocketEmitter;
  readonly #ready: (timeout: number) => Promise<void>;
  /** What redis-emitter has published within the present call. */
  #sent: Promise<unknown> = Promise.resolve();

  /** @param ready resolves once commands can be sent; rejects with a BellwireError within so many milliseconds */
  constructor(redis: RedisClient, keys: Keys, ready: (timeout: number) => Promise<void> = (timeout) => whenReady(redis, timeout)) {
    this.#redis = withRevokeCommands(redis);
    this.#ready = ready;
    this.#keys = keys;
    this.#held = new RedisHeld(redis, keys);
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
    const { site, user, session, client } = command;
    const deadline = performance.now() + timeout;
    try {
      // Storing takes several steps: of two commands about one target the later one must have the last word.
      await this.#turns.take(JSON.stringify([site, user, session, client]), () => this.#send(command, deadline));
    } catch (error) {
      throw redisFailure(error);
    }
  }

  async #send(command: Command, deadline: number): Promise<void> {
    const left = (): number => Math.max(1, deadline - performance.now());
    if (performance.now() >= deadline) throw new BellwireError("unavailable", "The command waited too long for the ones before it");
    // Nothing is queued inside ioredis, where it would outlive its caller.
    await this.#ready(left());
    // Stored before it is told: a relay that is away now reads it when it is back.
    await within(this.#store(command), left(), "The command");
    await within(this.#tell(command), left(), "The command");
  }

  async #store(command: Command): Promise<void> {
    switch (command.kind) {
      case "subscribe":
        return this.#held.add(command);
      case "unsubscribe":
        return this.#held.remove(command);
      case "revoke":
        await this.#revoke(command);
        return this.#held.remove(command);
      case "disconnect":
    }
  }

  async #revoke(command: RevokeCommand): Promise<void> {
    const reply = await this.#redis.bellwireRevoke(this.#keys.revocations(), revocationText(command), REVOCATION_LIFE_MS, MAX_REVOCATIONS);
    if (reply === "full") throw new BellwireError("limit", `More than ${MAX_REVOCATIONS} revocations are in force`);
  }

  #tell(command: Command): Promise<unknown> {
    this.#control.serverSideEmit(COMMAND_EVENT, command);
    return this.#sent;
  }
}

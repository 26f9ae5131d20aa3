import { BellwireError, parseFilter, type ParsedGrant } from "@bellwire/protocol";
import {
  ownerOf,
  type Command,
  type DisconnectCommand,
  type Owner,
  type SubscribeCommand,
  type Target,
  type UnsubscribeCommand,
} from "@bellwire/emitter/commands";
import type { Keeper } from "./keeper.js";
import type { Revocations } from "../revocations/revocations.js";
import type { RevocationIndex } from "../revocations/revocation-index.js";
import type { Connection } from "../connection/connection.js";
import type { Subscriptions } from "../connection/subscriptions.js";

export interface CommandsOptions {
  /** This relay's connections. */
  readonly connections: ReadonlySet<Connection>;
  readonly subscriptions: Subscriptions;
  readonly revocations: Revocations;
  readonly keeper: Pick<Keeper, "heard" | "hold">;
}

/** Does on one relay what all relays are told. */
export class Commands {
  readonly #options: CommandsOptions;

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  execute(command: Command): void {
    const named = this.#named(command);
    this.#options.keeper.heard(command, named);
    switch (command.kind) {
      case "disconnect":
        return this.#disconnect(command, named);
      case "subscribe":
        return this.#subscribe(command, named);
      case "unsubscribe":
        return this.#unsubscribe(command, named);
      case "revoke":
        // What counts is what is stored; the command only says that there is something to read.
        this.#options.revocations.reread().catch(() => undefined); // it never rejects
    }
  }

  #disconnect({ code = "forbidden", reason }: DisconnectCommand, named: readonly Connection[]): void {
    const error = new BellwireError(code, "The server ended the connection", reason === undefined ? {} : { reason });
    for (const connection of named) connection.bye(error);
  }

  #subscribe(command: SubscribeCommand, named: readonly Connection[]): void {
    const { kind: owner } = ownerOf(command) as Owner;
    const wanted = { topic: command.topic, filter: parseFilter(command.filter), owner };
    for (const connection of named) this.#options.keeper.hold(connection, wanted);
  }

  #unsubscribe({ topic = "*", filter }: UnsubscribeCommand, named: readonly Connection[]): void {
    // No pattern covers reserved topics: whatever a command says, personal ones stay.
    const within: ParsedGrant = { topic, filter: parseFilter(filter) };
    const error = new BellwireError("not-found", "The server ended the subscription");
    for (const connection of named) this.#options.subscriptions.endWithin(connection, within, error);
  }

  /** Ends what has been revoked meanwhile. */
  enforce(fresh: RevocationIndex): void {
    const { connections, subscriptions } = this.#options;
    for (const connection of connections) {
      if (connection.closed) continue;
      if (fresh.refuses(connection, connection.permit)) connection.bye(revoked("The connection's permit was revoked"));
      else subscriptions.endRefused(connection, fresh, revoked("The subscription's permit was revoked"));
    }
  }

  /** A list of its own: what is done to a connection may take it out of the set. */
  #named({ site, user, session, client }: Target & { readonly site: string }): Connection[] {
    const named: Connection[] = [];
    for (const connection of this.#options.connections) {
      if (connection.site !== site || connection.closed) continue;
      if (user !== undefined && user !== connection.user) continue;
      if (session !== undefined && session !== connection.session) continue;
      if (client !== undefined && client !== connection.client) continue;
      named.push(connection);
    }
    return named;
  }
}

function revoked(message: string): BellwireError {
  return new BellwireError("revoked", message);
}

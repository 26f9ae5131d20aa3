import { BellwireError, parseFilter, type ParsedGrant } from "@bellwire/protocol";
import type { Command, DisconnectCommand, SubscribeCommand, Target, UnsubscribeCommand } from "@bellwire/emitter/internal";
import type { Revocations } from "../revocations/revocations.js";
import type { RevocationIndex } from "../revocations/revocation-index.js";
import type { Connection } from "../socket/connection.js";
import type { Subscriptions } from "../socket/subscriptions.js";

export interface CommandsOptions {
  /** This relay's connections. */
  readonly connections: ReadonlySet<Connection>;
  readonly subscriptions: Subscriptions;
  readonly revocations: Revocations;
  /** A subscription that was to be made could not be. */
  readonly onRefused: (error: BellwireError) => void;
}

/** Does on one relay what all relays are told. */
export class Commands {
  readonly #options: CommandsOptions;

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  execute(command: Command): void {
    switch (command.kind) {
      case "disconnect":
        return this.#disconnect(command);
      case "subscribe":
        return this.#subscribe(command);
      case "unsubscribe":
        return this.#unsubscribe(command);
      case "revoke":
        // What counts is what is stored; the command only says that there is something to read.
        this.#options.revocations.reread().catch(() => undefined); // it never rejects
    }
  }

  #disconnect(command: DisconnectCommand): void {
    const { code = "forbidden", reason } = command;
    const error = new BellwireError(code, "The server ended the connection", reason === undefined ? {} : { reason });
    for (const connection of this.#named(command)) connection.bye(error);
  }

  #subscribe(command: SubscribeCommand): void {
    const filter = parseFilter(command.filter);
    for (const connection of this.#named(command)) {
      this.#options.subscriptions.hold(connection, command.topic, filter).then((refused) => {
        if (refused !== undefined) this.#options.onRefused(refused);
      }, this.#options.onRefused);
    }
  }

  #unsubscribe(command: UnsubscribeCommand): void {
    const within: ParsedGrant | undefined =
      command.topic === undefined ? undefined : { topic: command.topic, filter: parseFilter(command.filter) };
    const error = new BellwireError("not-found", "The server ended the subscription");
    for (const connection of this.#named(command)) this.#options.subscriptions.endWithin(connection, within, error);
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

import type { Tickets } from "../auth/tickets.js";
import type { Connection, Subscription } from "./connection.js";

/** Sends connections their fresh tickets. */
export class TicketSender {
  readonly #tickets: Tickets;

  constructor(tickets: Tickets) {
    this.#tickets = tickets;
  }

  /** Renews tickets well before the old ones run out. Called from the relay's clock with the connections whose turn it is. */
  renew(connections: Iterable<Connection>): void {
    const now = Date.now() / 1000;
    const { life } = this.#tickets;
    if (life <= 0) return;
    for (const connection of connections) {
      if (connection.closed || now - connection.ticketsAt < life / 2) continue;
      connection.ticketsAt = now;
      this.send(connection, connection.subscriptions.values());
    }
  }

  /** Sends fresh tickets of a connection and of some of its subscriptions. */
  send(connection: Connection, subscriptions: Iterable<Subscription>): void {
    const now = Date.now() / 1000;
    const list: [string | null, string][] = [];
    const own = this.#tickets.forConnection(connection.permit, now);
    if (own !== null) list.push([null, own]);
    for (const { id, proof, held } of subscriptions) {
      const ticket = held ? null : this.#tickets.forSubscription(connection, proof, now);
      if (ticket !== null) list.push([id, ticket]);
    }
    if (list.length > 0) connection.tell("tickets", list);
  }
}

import { asObject, type JsonObject } from "@bellwire/protocol";
import type { Link } from "./connection/link.js";
import type { Report } from "./invoke.js";
import { batches } from "./subscriptions/batches.js";
import type { Registry } from "./subscriptions/registry.js";
import { requestLength } from "./subscriptions/subscribe-item.js";
import type { WireSubscription } from "./subscriptions/wire-subscription.js";
import type { SubscribeTokens, TokenSource } from "./tokens/token-source.js";

const TIMEOUT = 10_000;

/**
 * Answers `expiring` with fresh tokens, for the connection or for some subscriptions. A failure is reported and nothing more:
 * at the end the relay closes with `refresh`, and the ordinary way back begins.
 */
export function createRefresh(tokens: TokenSource, registry: Registry, report: Report): (event: JsonObject, link: Link) => void {
  const connection = async (link: Link): Promise<void> => {
    const answer = tokens.renewable ? await tokens.connection([]) : {};
    if (answer.off !== undefined || link.isDown) return;
    // Without a token the relay asks its refresh hook.
    const body = answer.token === undefined ? {} : { token: answer.token };
    link.request("refresh", body, TIMEOUT, (error) => error && report(error));
  };
  const some = async (link: Link, wires: readonly WireSubscription[], { ask }: SubscribeTokens): Promise<void> => {
    const { token: common, tokens, refused } = await ask(wires.map((wire) => wire.request));
    if (link.isDown) return;
    const items = wires.flatMap(({ id }, i) => {
      const token = tokens?.get(i) ?? common;
      return token === undefined || refused.has(i) ? [] : [{ id, token }];
    });
    for (const batch of batches(items, link.frame, ({ token }) => token.length + 100)) {
      link.request("refresh", { subscriptions: batch }, TIMEOUT, (error, reply) =>
        error === undefined ? renewTickets(reply) : report(error),
      );
    }
  };
  const renewTickets = ({ results }: JsonObject): void => {
    for (const result of Array.isArray(results) ? results.map(asObject) : []) {
      const wire = registry.byId(result?.id);
      if (wire !== undefined && typeof result?.ticket === "string") wire.ticket = result.ticket;
    }
  };
  return ({ ids }, link) => {
    if (!Array.isArray(ids)) return void connection(link).catch(report);
    const wires = ids.flatMap((id: unknown) => registry.byId(id) ?? []);
    const { subscriptions } = tokens;
    if (subscriptions === undefined) return;
    for (const batch of batches(wires, subscriptions.most, requestLength)) some(link, batch, subscriptions).catch(report);
  };
}

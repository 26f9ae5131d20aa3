import { asObject, BellwireError } from "@bellwire/protocol";
import type { Admission } from "../auth/admission.js";
import { toBellwireError } from "./failure.js";
import type { Connection, Subscription } from "./connection.js";
import type { Lifetimes } from "./lifetimes.js";
import { COST, requireWork } from "../pacing/work.js";
import { parseId } from "./subscribe-item.js";

export interface RefreshReply {
  readonly until?: number;
  readonly results?: readonly object[];
}

export interface RefreshOptions {
  readonly admission: Admission;
  readonly lifetimes: Lifetimes;
  /** Items of one frame. */
  readonly most: number;
}

/**
 * Answers `refresh({token?, subscriptions?: [{id, token}]})`: new tokens prolong what they are for. Without any of them the
 * backend's hook is asked.
 */
export async function refresh(connection: Connection, request: unknown, options: RefreshOptions): Promise<RefreshReply> {
  const source = asObject(request ?? {});
  if (source === undefined) throw new BellwireError("bad-request", "refresh takes {token?, subscriptions?}");
  const { token, subscriptions } = source;
  const reply: { until?: number; results?: readonly object[] } = {};
  if (token !== undefined && token !== null) options.lifetimes.renew(connection, options.admission.renewConnection(connection, token));
  else if (subscriptions === undefined) await options.lifetimes.refresh(connection);
  if (connection.permit.until !== undefined) reply.until = connection.permit.until;
  if (subscriptions !== undefined)
    reply.results = parseItems(subscriptions, options.most).map((item) => prolong(connection, item, options));
  return reply;
}

function parseItems(value: unknown, most: number): Record<string, unknown>[] {
  if (!Array.isArray(value) || value.length > most) {
    throw new BellwireError("bad-request", `subscriptions is a list of at most ${most} items {id, token}`);
  }
  return value.map((item) => {
    const source = asObject(item);
    if (source === undefined) throw new BellwireError("bad-request", "Each item is {id, token}");
    parseId(source.id);
    return source;
  });
}

function prolong(connection: Connection, { id, token }: Record<string, unknown>, { admission, lifetimes }: RefreshOptions): object {
  try {
    requireWork(connection.work, COST.item);
    const subscription: Subscription | undefined = connection.subscriptions.get(id as string);
    if (subscription === undefined || subscription.held) throw new BellwireError("not-found", "There is no such subscription");
    lifetimes.renewSubscription(connection, subscription, admission.renewSubscription(connection, subscription, token));
    const { until } = subscription.proof;
    const ticket = admission.tickets.forSubscription(connection, subscription.proof, Date.now() / 1000);
    return { id, ticket, ...(until === undefined ? {} : { until }) };
  } catch (error) {
    return { id, error: toBellwireError(error).toJSON() };
  }
}

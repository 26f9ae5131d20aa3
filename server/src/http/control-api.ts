import type { FastifyInstance, FastifyRequest } from "fastify";
import { COMMAND_KINDS, parseCommand, type Command, type CommandKind } from "@bellwire/emitter/commands";
import { asObject } from "@bellwire/protocol";
import type { ClusterCounts } from "../stores/counts.js";
import type { ApiKeys } from "./api-keys.js";
import { requireKnown } from "./known-fields.js";

const SCOPE: readonly string[] = ["user", "session", "client", "topic", "filter"];
/** What a command's body may hold. Relays tell each other more in time, so that only bodies from outside are so strict. */
const FIELDS: Readonly<Record<CommandKind, readonly string[]>> = {
  subscribe: SCOPE,
  unsubscribe: SCOPE,
  // topic and filter are refused with the remedy, further on.
  disconnect: [...SCOPE, "code", "reason"],
  revoke: [...SCOPE, "jti"],
};
const REASON_FIELDS: readonly string[] = ["code", "message"];

export interface ControlApiOptions {
  readonly keys: ApiKeys;
  /** Tells every relay. Rejects with a BellwireError. */
  readonly send: (command: Command) => Promise<void>;
  /** Asks every relay. Rejects with a BellwireError. */
  readonly counts: () => Promise<ClusterCounts>;
}

/** What backends can have relays do with a site's connections, under `/v1`, and how much is open on all of them. */
export function registerControl(app: FastifyInstance, { keys, send, counts }: ControlApiOptions): void {
  type Site = { Params: { site: string } };
  const ofSite = async ({ headers, params }: FastifyRequest<Site>): Promise<void> => keys.check(headers.authorization, params.site);

  for (const kind of COMMAND_KINDS) {
    app.post<Site>(`/v1/sites/:site/${kind}`, { onRequest: ofSite }, async (request) => {
      requireFields(kind, request.body);
      await send(parseCommand(kind, request.params.site, request.body));
      return {};
    });
  }

  const ofAll = async ({ headers }: FastifyRequest): Promise<void> => keys.checkAll(headers.authorization);
  app.get("/v1/counts", { onRequest: ofAll }, async (_request, reply) => {
    reply.header("cache-control", "no-store");
    return counts();
  });
}

/** @throws BellwireError `bad-request` for a field that the command does not have */
function requireFields(kind: CommandKind, body: unknown): void {
  const source = asObject(body);
  if (source === undefined) return; // refused further on
  requireKnown(source, FIELDS[kind], `a ${kind}`);
  const reason = kind === "disconnect" ? asObject(source.reason) : undefined;
  if (reason !== undefined) requireKnown(reason, REASON_FIELDS, "reason");
}

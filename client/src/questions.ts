import { asObject, isEpoch, isOffset, parseTopic, type JsonObject, type PresenceUser } from "@bellwire/protocol";
import type { Client } from "./api.js";
import { ClientError } from "./errors.js";

const TIMEOUT = 10_000;
const RPC_TIMEOUT = 30_000;

/** What the application asks of the relay, each with one answer. */
export function createQuestions(
  call: (event: string, payload: unknown, timeout: number) => Promise<JsonObject>,
): Pick<Client, "publish" | "rpc" | "presence"> {
  return {
    async publish(topic, data) {
      const { epoch, offset, handled } = await call("publish", { topic: parseTopic(topic), data }, TIMEOUT);
      if (handled === true) return null;
      if (isEpoch(epoch) && isOffset(offset)) return { epoch, offset };
      throw new ClientError({ code: "internal", message: "The relay's answer to a publish has no position" });
    },
    async rpc(method, data, { timeout = RPC_TIMEOUT } = {}) {
      const reply = await call("rpc", { method, data }, timeout);
      return { ...(typeof reply.status === "number" ? { status: reply.status } : {}), data: reply.data };
    },
    async presence(topic) {
      const reply = await call("presence", { topic: parseTopic(topic) }, TIMEOUT);
      const users = readUsers(reply.users);
      return { users, count: isOffset(reply.count) ? reply.count : users.length };
    },
  };
}

export function readUsers(value: unknown): PresenceUser[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item: unknown) => {
    const source = asObject(item);
    return typeof source?.user === "string" ? [source as unknown as PresenceUser] : [];
  });
}

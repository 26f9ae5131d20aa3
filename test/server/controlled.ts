import { setTimeout as pause } from "node:timers/promises";
import type { BellwireError } from "@bellwire/emitter";
import type { TestRelay } from "@bellwire/server/testing";
import type { TestRedis } from "../support/redis.js";
import type { RawClient } from "../support/socket.js";
import { request, type Answer } from "./stage.js";

export const APP_KEY: string = "k".repeat(40);
export const API_KEY: string = "a".repeat(24);

/** Everything that a client heard, by event, without the personal topics that everybody has. */
export function listen(client: RawClient): <T>(event: string) => T[] {
  const heard: [string, unknown][] = [];
  client.socket.onAny((event: string, value: unknown) => {
    if (event !== "subscribed" || !(value as { topic: string }).topic.startsWith("$")) heard.push([event, value]);
  });
  client.socket.on("disconnect", (reason) => heard.push(["disconnect", reason]));
  return <T>(event: string) => heard.filter(([name]) => name === event).map(([, value]) => value as T);
}

export function command(relay: TestRelay, kind: string, body: unknown, site = "5", key = relay.apiKey): Promise<Answer> {
  return request(`${relay.httpUrl}/v1/sites/${site}/${kind}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify(body),
  });
}

export async function refusal(work: Promise<unknown>): Promise<BellwireError> {
  try {
    await work;
  } catch (error) {
    return error as BellwireError;
  }
  throw new Error("It was not refused");
}

/** Waits until so many relays listen to commands. */
export async function listening(redis: TestRedis | undefined, relays: number): Promise<void> {
  if (redis === undefined) return;
  const raw = redis.client();
  try {
    for (const end = Date.now() + 5000; ; await pause(5)) {
      const [, count] = (await raw.call("PUBSUB", "NUMSUB", "bellwire:0:control-request#/control#")) as [string, number];
      if (count === relays) return;
      if (Date.now() > end) throw new Error(`${count} relays listen to commands, not ${relays}`);
    }
  } finally {
    raw.disconnect();
  }
}

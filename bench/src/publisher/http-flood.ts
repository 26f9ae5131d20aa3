import { Agent } from "node:http";
import { ONE_SITE } from "../load/plan.js";
import { microseconds } from "../measure/clock.js";
import { post } from "./centrifugo.js";
import type { PublisherSettings, PublishFigures } from "./plan.js";

export interface HttpFloodPlan {
  readonly connections: number;
  /** Messages in one request. */
  readonly batch: number;
  readonly seconds: number;
}

/** Publishes over a relay's HTTP API as fast as it answers. Latencies are of whole requests. */
export async function httpFlood(
  { http, apiKey }: PublisherSettings,
  { connections, batch, seconds }: HttpFloodPlan,
): Promise<PublishFigures> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const message = { topic: "http", data: { id: 5, by: "aaaaaaaaaaaa", at: 1_700_000_000_000 } };
  const body = JSON.stringify(batch === 1 ? message : { messages: Array.from({ length: batch }, () => message) });
  const latencies: number[] = [];
  let failed = 0;
  const begin = microseconds();
  const end = begin + seconds * 1e6;
  const work = async (): Promise<void> => {
    while (microseconds() < end) {
      const at = microseconds();
      try {
        await post(agent, `${http}/v1/sites/${ONE_SITE}/publish`, `Bearer ${apiKey}`, body, "Authorization");
        latencies.push(microseconds() - at);
      } catch {
        failed++;
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, work));
  agent.destroy();
  return { published: latencies.length * batch, failed, seconds: (microseconds() - begin) / 1e6, latencies: Float64Array.from(latencies) };
}

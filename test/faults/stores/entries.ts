import type { Cluster, Redis } from "ioredis";
import type { LogEntry } from "../record.js";

/** The key of a log as the design spells it. Written out anew: the project's own spelling is what is being tested. */
export function logKey(site: string, topic: string, prefix = "bellwire:", db = 0): string {
  return `${prefix}${db}:{${site}:${topic}}`;
}

/** Reads a log past all scripts. What is no entry of ours, or no stream at all, is left out. */
export async function readEntries(redis: Redis | Cluster, site: string, topic: string, key: string): Promise<LogEntry[]> {
  const rows = await redis.xrange(key, "-", "+").catch(() => []);
  return rows.flatMap(([id, fields]) => {
    const [epoch, offset] = id.split("-") as [string, string];
    const values = Object.fromEntries(fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1]]] : []))) as Record<string, string>;
    const data = parse(values.d ?? "");
    return data === undefined ? [] : [{ site, topic, epoch, offset: Number(offset), time: Number(values.t), data }];
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

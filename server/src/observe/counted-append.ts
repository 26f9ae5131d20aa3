import type { Publication } from "@bellwire/emitter/publication";
import type { Position } from "@bellwire/protocol";
import type { TopicLog } from "../stores/log.js";
import type { Stats } from "./stats.js";

const TIMEOUT_MS = 5000;

/** Appends what somebody published through this relay, and counts how that went. Rejects as the log does, within 5 s. */
export async function appendCounted(
  log: Pick<TopicLog, "append">,
  stats: Stats,
  by: "backend" | "client",
  publication: Publication,
): Promise<Position> {
  try {
    const position = await log.append(publication, TIMEOUT_MS);
    if (by === "client") stats.clientPublishes++;
    else stats.published++;
    return position;
  } catch (error) {
    if (by === "client") stats.clientPublishFailures++;
    else stats.publishFailures++;
    throw error;
  }
}

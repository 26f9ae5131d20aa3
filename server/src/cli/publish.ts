import { BellwireError } from "@bellwire/protocol";
import { encodeData, parseIdempotencyKey } from "@bellwire/emitter/publication";
import { readArgument, readObject, readSite, readTopic } from "./arguments.js";
import { Failure, typed, UsageError } from "./failure.js";
import { printJson, say } from "./output.js";
import { openPublishing, type Way } from "./publishing.js";
import { readSettings } from "./settings.js";

export interface PublishFlags {
  readonly via?: string;
  readonly idempotencyKey?: string;
}

/** Publishes one message and prints its position. Rejects with UsageError, ConfigError or a BellwireError. */
export async function publish(siteText: string, topicText: string, json: string, { via, idempotencyKey }: PublishFlags): Promise<void> {
  const site = readSite(siteText);
  const topic = readTopic(topicText);
  const data = readObject(readArgument(json), "The data");
  if (via !== undefined && via !== "redis" && via !== "http") throw new UsageError(`--via must be redis or http, not "${via}"`);
  const settings = readSettings(process.env);
  typed(() => encodeData(data, settings.dataBytes));
  typed(() => parseIdempotencyKey(idempotencyKey));
  const publishing = openPublishing(settings, via as Way | undefined);
  try {
    const position = await publishing.emitter.site(site).publish(topic, data, idempotencyKey === undefined ? {} : { idempotencyKey });
    if (position === null) {
      say("Nothing was published: REALTIME_ENABLED is false");
      return printJson(null);
    }
    printJson({ topic, ...position });
    if ((await publishing.relays()) === 0) say("No relay is connected to this Redis, database and prefix: nobody hears it");
  } catch (error) {
    const trouble = publishing.trouble();
    if (!(error instanceof BellwireError) || trouble === undefined) throw error;
    throw new Failure(`${error.code}: ${error.message} (${trouble})`);
  } finally {
    await publishing.close();
  }
}

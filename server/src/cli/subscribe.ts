import { randomUUID } from "node:crypto";
import { BellwireError } from "@bellwire/protocol";
import { readCount, readFilter, readSite, readTopic } from "./arguments.js";
import { UsageError } from "./failure.js";
import { printJson, say } from "./output.js";
import { readSettings, shownAddress, signingKey } from "./settings.js";
import { Stream } from "./stream.js";
import { mintToken, type Watcher } from "./tokens.js";

export interface SubscribeFlags {
  readonly filter?: string;
  readonly count?: string;
  readonly user?: string;
  readonly session?: string;
  readonly replay: boolean;
}

/**
 * Prints what a subscription hears until Ctrl-C, or until `--count` lines: `{topic, epoch, offset, time, data}`, with
 * `replay: true` for the topic's last message, or `{topic, epoch, offset, resync: true, cause}`.
 * Rejects with UsageError, ConfigError or Failure.
 */
export async function subscribe(siteText: string, topicText: string, flags: SubscribeFlags): Promise<void> {
  const site = readSite(siteText);
  const topic = readTopic(topicText);
  const filter = readFilter(flags.filter);
  let left = flags.count === undefined ? Number.POSITIVE_INFINITY : readCount(flags.count, "--count");
  const { user } = flags;
  // An anonymous visitor is known by its session alone: without one, no subscribe token is its own.
  const session = flags.session ?? (user === undefined ? randomUUID() : undefined);
  const watcher: Watcher = { site, user, session, topic, filter };
  const { url } = readSettings(process.env);
  const key = signingKey(process.env, site);
  await mintToken(key, watcher).catch((error: unknown) => {
    throw error instanceof BellwireError ? new UsageError(error.message) : error;
  });

  const line = (value: object): void => {
    printJson(value);
    if (--left === 0) stream.close();
  };
  const stream = new Stream({
    url,
    site,
    subscribe: [{ topic, filter, replay: flags.replay }],
    mint: () => mintToken(key, watcher),
    onMessage: ({ topic: name, epoch, offset, time, data }, replay) =>
      line({ topic: name, epoch, offset, time, data, ...(replay ? { replay } : {}) }),
    onResync: (position, cause) => line({ ...position, resync: true, cause }),
    onTrouble: say,
  });
  // A second one finds the system's own answer: the process ends.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stream.close());
  stream.ready.then(
    () => say(`Listening to ${topic} on site ${site} at ${shownAddress(url)}; Ctrl-C ends`),
    () => undefined, // `ended` says it
  );
  await stream.ended;
}

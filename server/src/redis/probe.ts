import type { Position } from "@bellwire/protocol";
import { makePublication, type Publication } from "@bellwire/emitter/publication";
import type { ChannelLine, Channels } from "./channels.js";

export interface ProbeOptions {
  readonly relay: string;
  readonly append: (publication: Publication, timeout: number) => Promise<Position>;
  /** The channel of a topic. */
  readonly channelOf: (site: string, topic: string) => string;
  readonly channels: Channels;
  /** The markers' log has begun anew, as others have then: for a relay that has nothing else open, the only sign of a failover. */
  readonly onNewEpoch: () => void;
}

const EVERY_MS = 5000;
const HEARD_WITHIN_MS = 2000;
// Names tried until one falls to a line; a master of a Cluster owns some share of the slots.
const MAX_NAMES = 2000;
// No site has this name, so no client and no backend can reach the probe's log.
const PROBE_SITE = "$probe";

/**
 * Finds lines that are open and deaf: appends a marker through the ordinary script and waits for it on each line in use.
 * A demoted master, for one, still answers everything and brings nothing.
 */
export class Probe {
  readonly #options: ProbeOptions;
  /** The topic whose channel comes over a line, by the line's id. */
  readonly #topics = new Map<string, string>();
  /** Markers on their way, by channel. */
  readonly #awaited = new Map<string, { id: string; heard: () => void }>();
  /** Of the markers' logs, by topic. */
  readonly #epochs = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ProbeOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => {
      for (const line of this.#options.channels.lines) this.#probe(line).catch(() => undefined); // it could not be sent: proves nothing
    }, EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#awaited.clear();
  }

  /** Takes a payload of one of the probe's channels; false for any other channel. */
  heard(channel: string, payload: string): boolean {
    const awaited = this.#awaited.get(channel);
    if (awaited === undefined) return channel.includes(`{${PROBE_SITE}:`);
    if (payload.includes(awaited.id)) awaited.heard();
    return true;
  }

  async #probe(line: ChannelLine): Promise<void> {
    if (!line.ready) return;
    const { append, channels, channelOf } = this.#options;
    const topic = this.#topicFor(line);
    if (topic === undefined) return;
    const channel = channelOf(PROBE_SITE, topic);
    await channels.subscribe(channel);
    const publication = makePublication({ site: PROBE_SITE, topic, data: "{}" });
    const { id } = publication;
    let heard = false;
    this.#awaited.set(channel, { id, heard: () => (heard = true) });
    const { epoch } = await append(publication, EVERY_MS);
    if ((this.#epochs.get(topic) ?? epoch) !== epoch) this.#options.onNewEpoch();
    this.#epochs.set(topic, epoch);
    const timer = setTimeout(() => {
      if (this.#awaited.get(channel)?.id !== id) return;
      this.#awaited.delete(channel);
      if (!heard && line.ready && line.owns(channel)) line.reconnect("channels bring nothing");
    }, HEARD_WITHIN_MS);
    timer.unref();
  }

  #topicFor(line: ChannelLine): string | undefined {
    const { relay, channelOf, channels } = this.#options;
    const known = this.#topics.get(line.id);
    if (known !== undefined) {
      if (line.owns(channelOf(PROBE_SITE, known))) return known;
      channels.unsubscribe(channelOf(PROBE_SITE, known));
      this.#topics.delete(line.id);
    }
    for (let i = 0; i < MAX_NAMES; i++) {
      const topic = `${relay}.${i}`;
      if (!line.owns(channelOf(PROBE_SITE, topic))) continue;
      this.#topics.set(line.id, topic);
      return topic;
    }
    return undefined;
  }
}

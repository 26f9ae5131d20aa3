import { Redis, type Cluster } from "ioredis";
import { BellwireError } from "@bellwire/protocol";
import { within } from "@bellwire/emitter/time";
import type { ClusterTarget } from "@bellwire/emitter/redis";
import type { ChannelLine, Channels, ChannelsListener } from "./channels.js";
import { Line } from "./line.js";
import { slotOf } from "./slot.js";

const REFRESH_MS = 2000;
const REFRESH_TIMEOUT_MS = 3000;

interface SlotRange {
  readonly from: number;
  readonly to: number;
  readonly node: string;
}

/**
 * Channels of a Cluster: one line for each master that owns a channel in use. Asks for the slots' owners every 2 s, and moves a
 * channel whose slot has moved: a migrated slot's old owner falls silent without any error.
 */
export class ClusterChannels implements Channels {
  readonly #target: ClusterTarget;
  readonly #commands: Cluster;
  readonly #lines = new Map<string, Line>();
  /** Channels wanted, each with the node whose line carries it. */
  readonly #homes = new Map<string, string | undefined>();
  #ranges: readonly SlotRange[] = [];
  #listener: ChannelsListener | undefined;
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> | undefined;
  #known = false;
  #closed = false;

  /** @param commands a client of the same Cluster, used to ask who owns which slot */
  constructor(target: ClusterTarget, commands: Cluster) {
    this.#target = target;
    this.#commands = commands;
  }

  start(listener: ChannelsListener): void {
    this.#listener = listener;
    this.#commands.on("ready", () => void this.#refresh());
    this.#timer = setInterval(() => void this.#refresh(), REFRESH_MS);
    this.#timer.unref();
  }

  get lines(): readonly ChannelLine[] {
    return [...this.#lines.values()];
  }

  get problem(): string | undefined {
    if (!this.#known) return "the Cluster's slots are not known yet";
    const away = [...this.#lines.values()].filter((line) => !line.ready).map(({ id }) => id);
    return away.length === 0 ? undefined : `no channels from ${away.join(", ")}`;
  }

  hears(channel: string): boolean {
    const home = this.#homes.get(channel);
    return home !== undefined && this.#lines.get(home)?.hears(channel) === true;
  }

  async subscribe(channel: string): Promise<void> {
    const node = this.#ownerOf(channel);
    this.#homes.set(channel, node);
    if (node === undefined) throw new BellwireError("unavailable", "No master owns this slot now; the channel is subscribed when one does");
    await this.#lineTo(node).add(channel);
  }

  unsubscribe(channel: string): void {
    const home = this.#homes.get(channel);
    this.#homes.delete(channel);
    if (home !== undefined) this.#lines.get(home)?.remove(channel);
  }

  #ownerOf(channel: string): string | undefined {
    const slot = slotOf(channel);
    return this.#ranges.find(({ from, to }) => slot >= from && slot <= to)?.node;
  }

  #lineTo(node: string): Line {
    let line = this.#lines.get(node);
    if (line !== undefined) return line;
    const at = node.lastIndexOf(":");
    const redis = new Redis({
      ...this.#target.options,
      host: node.slice(0, at),
      port: Number(node.slice(at + 1)),
      lazyConnect: true,
      autoResubscribe: false,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: 5000,
      disconnectTimeout: 500,
      retryStrategy: (attempt: number) => Math.min(attempt * 100, 1000),
    } as never);
    line = new Line({
      id: node,
      redis,
      listener: this.#listener as ChannelsListener,
      owns: (channel) => this.#ownerOf(channel) === node,
      oneByOne: true,
      onMoved: () => void this.#refresh(),
    });
    this.#lines.set(node, line);
    return line;
  }

  /** Asks who owns which slot, and moves channels accordingly. Never rejects. */
  #refresh(): Promise<void> {
    this.#refreshing ??= this.#readSlots()
      .then(
        (ranges) => {
          this.#ranges = ranges;
          if (this.#closed) return;
          this.#move();
          // No line is needed before a channel is: knowing the slots is all there is to be ready for.
          if (!this.#known) {
            this.#known = true;
            this.#listener?.ready();
          }
        },
        (error: unknown) => this.#listener?.error(error, "slots"),
      )
      .finally(() => {
        this.#refreshing = undefined;
      });
    return this.#refreshing;
  }

  async #readSlots(): Promise<SlotRange[]> {
    const reply = await within(this.#commands.cluster("SLOTS") as Promise<unknown>, REFRESH_TIMEOUT_MS, "Asking for the Cluster's slots");
    if (!Array.isArray(reply) || reply.length === 0) throw new BellwireError("internal", "The Cluster answered no slots");
    return (reply as [number, number, [string, number]][]).map(([from, to, [host, port]]) => ({ from, to, node: `${host}:${port}` }));
  }

  #move(): void {
    const left = new Set<Line>();
    for (const [channel, home] of this.#homes) {
      const owner = this.#ownerOf(channel);
      if (owner !== home) {
        const old = home === undefined ? undefined : this.#lines.get(home);
        if (old?.forget(channel) === true) left.add(old);
        if (home !== undefined) this.#listener?.lost([channel], "its slot has moved");
        this.#homes.set(channel, owner);
      }
      if (owner !== undefined) this.#settle(channel, this.#lineTo(owner));
    }
    // When a slot leaves, the server drops its channels with a push that ioredis takes for the reply to whatever is under way on
    // the connection; every later reply then answers the wrong question. A new connection has a clean queue.
    for (const line of left) line.reconnect("a slot has left this master");
    for (const [node, line] of this.#lines) {
      if (line.channels.length > 0 || this.#ranges.some((range) => range.node === node)) continue;
      line.close();
      this.#lines.delete(node);
    }
  }

  /** Subscribes a channel on its line where that has not confirmed it, be it new there or refused before. */
  #settle(channel: string, line: Line): void {
    if (line.hears(channel)) return;
    line.add(channel).then(
      () => this.#listener?.restored([channel]),
      () => undefined, // tried again at the next refresh, or by the line when it is back
    );
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const line of this.#lines.values()) line.close();
  }
}

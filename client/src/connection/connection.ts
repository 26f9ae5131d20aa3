import { asObject, type Auth, type JsonObject } from "@bellwire/protocol";
import type { State } from "../api.js";
import { ClientError, toClientError } from "../errors.js";
import type { Report } from "../invoke.js";
import { afterLoss } from "./after-loss.js";
import type { Backoff } from "./backoff.js";
import type { Handshake, Way } from "./handshake.js";
import { Link } from "./link.js";
import { Schedule } from "./schedule.js";
import { watchWake } from "./wake.js";

const CHECK_TIMEOUT = 5000;
const LONGEST_DRAIN = 600_000;
/** After so many attempts that reached no relay the backend is asked where it is now: a ticket leads to the old one for ever. */
const LOST_WAY = 5;

export interface ConnectionParts {
  readonly handshake: Handshake;
  /** Whether a refused token can be replaced by another. */
  readonly renewable: boolean;
  readonly withCredentials: boolean;
  readonly backoff: Backoff;
  readonly random: () => number;
  readonly report: Report;
  /** What goes into the handshake beside the credential. */
  auth(): Auth;
  onState(state: State): void;
  onUp(link: Link, hello: JsonObject): void;
  /** May be called with nothing up. */
  onDown(): void;
  onEvent(name: string, args: readonly unknown[]): void;
}

/** Keeps one link open: attempts, waits and states. It knows nothing of subscriptions. */
export class Connection {
  state: State = "idle";
  error: ClientError | undefined;
  /** The link while `state` is `connected`. */
  link: Link | undefined;
  readonly #parts: ConnectionParts;
  readonly #schedule: Schedule;
  #opening: Link | undefined;
  /** Rises with each attempt and each end of one: what an older attempt still brings is ignored. */
  #generation = 0;
  #pollingOnly = false;
  /** Attempts since the last connection. */
  #failures = 0;
  #drainTimer: ReturnType<typeof setTimeout> | undefined;
  #stopWake: (() => void) | undefined;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.#schedule = new Schedule(parts.backoff, parts.random, () => void this.#attempt());
  }

  /** Connects, unless that is under way. Also leads back from `off`, `failed` and `closed`. */
  open(): void {
    if (this.state === "connecting" || this.state === "connected" || this.state === "waiting") return;
    this.error = undefined;
    this.#stopWake ??= watchWake(() => this.#wake());
    this.#schedule.reset();
    // The rest of this tick may bring subscriptions, whose tokens then come with the same request.
    this.#schedule.in(0);
    this.#set("connecting");
  }

  stop(state: "closed" | "off" | "failed", error?: ClientError): void {
    this.#drop();
    this.#stopWake?.();
    this.#stopWake = undefined;
    // Somebody else may be signed in when it opens again.
    this.#parts.handshake.ticket = undefined;
    this.error = error;
    this.#set(state);
    if (error !== undefined) this.#parts.report(error);
  }

  async #attempt(): Promise<void> {
    const generation = ++this.#generation;
    const isCurrent = (): boolean => generation === this.#generation;
    this.#set("connecting");
    // A listener of the state may have closed it.
    if (!isCurrent()) return;
    try {
      const way = await this.#parts.handshake.prepare(isCurrent);
      if (!isCurrent()) return;
      if (way === undefined) this.stop("off");
      else this.#opening = this.#openLink(way);
    } catch (thrown) {
      if (isCurrent()) this.#lost(toClientError(thrown, "No connection token"));
    }
  }

  #openLink({ target, credential }: Way): Link {
    const link = new Link({
      target,
      auth: { ...this.#parts.auth(), ...credential },
      pollingOnly: this.#pollingOnly,
      withCredentials: this.#parts.withCredentials,
      report: this.#parts.report,
      onEvent: (name, args) => {
        if (name === "hello") this.#onHello(link, asObject(args[0]) ?? {});
        else if (name === "bye") link.fail(new ClientError(args[0]));
        else if (name === "draining") this.#onDraining(Number(asObject(args[0])?.reconnectIn) || 0);
        else if (this.link === link) this.#parts.onEvent(name, args);
      },
      onDown: (error) => this.#onDown(error, credential.ticket !== undefined),
    });
    return link;
  }

  #onHello(link: Link, hello: JsonObject): void {
    this.#parts.handshake.ticket = typeof hello.ticket === "string" ? hello.ticket : undefined;
    this.link = link;
    this.#failures = 0;
    this.#schedule.up();
    this.#set("connected");
    // A listener of the state may have closed it.
    if (this.link === link) this.#parts.onUp(link, hello);
  }

  #onDraining(reconnectIn: number): void {
    this.#drainTimer ??= setTimeout(
      () => {
        this.#drop();
        this.#schedule.next();
        this.#set("waiting");
      },
      Math.min(reconnectIn, LONGEST_DRAIN),
    );
  }

  #onDown(error: ClientError, usedTicket: boolean): void {
    const wasUp = this.link !== undefined;
    // A proxy may swallow WebSocket without a word, where polling would pass.
    if (!wasUp) this.#pollingOnly = error.code === "timeout" && !this.#pollingOnly;
    if (!wasUp && ++this.#failures >= LOST_WAY) this.#parts.handshake.ticket = undefined;
    if (error.retry === "refresh") this.#parts.handshake.ticket = undefined;
    const next = afterLoss({ retry: error.retry, wasUp, usedTicket, renewable: this.#parts.renewable });
    if (next !== "no-token") return this.#lost(error, next === "now");
    const { code, message } = error;
    this.stop("failed", new ClientError({ code, message: `${message}; there is no way to get a new token`, retry: "never" }));
  }

  #lost(error: ClientError, now = false): void {
    if (error.retry === "never") return this.stop("failed", error);
    this.#drop();
    if (now) this.#schedule.in(0);
    else this.#schedule.later(error);
    this.#set("waiting");
    this.#parts.report(error);
  }

  #wake(): void {
    if (this.state === "connected") this.link?.check(CHECK_TIMEOUT);
    if (this.state === "waiting") this.#schedule.hurry();
  }

  /** Ends whatever is under way: the link, the wait, the answer that is awaited. */
  #drop(): void {
    this.#generation++;
    this.#schedule.down();
    this.#schedule.cancel();
    clearTimeout(this.#drainTimer);
    this.#drainTimer = undefined;
    const link = this.link ?? this.#opening;
    this.link = this.#opening = undefined;
    link?.close();
    this.#parts.onDown();
  }

  #set(state: State): void {
    if (this.state === state) return;
    this.state = state;
    this.#parts.onState(state);
  }
}

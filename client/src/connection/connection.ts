import { asObject, type Auth, type JsonObject } from "@bellwire/protocol";
import type { State } from "../api.js";
import { ClientError, toClientError } from "../errors.js";
import type { Report } from "../invoke.js";
import { afterLoss } from "./after-loss.js";
import type { Backoff } from "./backoff.js";
import type { FrameLimits } from "./frame-limits.js";
import type { Handshake, Way } from "./handshake.js";
import { Link } from "./link.js";
import { Schedule } from "./schedule.js";
import { watchWake } from "./wake.js";

const CHECK_TIMEOUT = 5000;
const LONGEST_DRAIN = 600_000;
/** Milliseconds for a transport to open. The first attempts after a loss or a wake give a network that swallows packets less. */
const PATIENCE = 10_000;
const FIRST_PATIENCE = 4000;
const FIRST_ATTEMPTS = 2;

export interface ConnectionParts {
  readonly handshake: Handshake;
  /** Whether a refused token can be replaced by another. */
  readonly renewable: boolean;
  readonly withCredentials: boolean;
  readonly backoff: Backoff;
  readonly random: () => number;
  /** As ReconnectOptions say. */
  readonly offDelay: number | undefined;
  readonly report: Report;
  /** Tells of an error that must not pass in silence, though the client may come back from it by itself. */
  readonly announce: Report;
  /** What goes into the handshake beside the credential. */
  auth(): Auth;
  onState(state: State): void;
  /** The relay has said hello; called before the state says so. */
  onHello(hello: JsonObject, frame: FrameLimits): void;
  onUp(link: Link): void;
  /** May be called with nothing up. */
  onDown(): void;
  /** The network or the page is back: what is under way may hang. */
  onWake(): void;
  onEvent(name: string, args: readonly unknown[]): void;
}

/** One attempt to connect, from the question for a token to its link's `hello`. */
interface Attempt {
  /** Epoch milliseconds. */
  readonly begun: number;
  /** Aborted once it is given up: what it still brings is ignored. */
  readonly control: AbortController;
  link?: Link;
}

/** Keeps one link open: attempts, waits and states. It knows nothing of subscriptions. */
export class Connection {
  state: State = "idle";
  error: ClientError | undefined;
  /** The link while `state` is `connected`. */
  link: Link | undefined;
  readonly #parts: ConnectionParts;
  readonly #schedule: Schedule;
  #attempt: Attempt | undefined;
  #pollingOnly = false;
  /** Whether there was a connection since the application last ended one, or was told that there will be none. */
  #wasUp = false;
  #drainTimer: ReturnType<typeof setTimeout> | undefined;
  #stopWake: (() => void) | undefined;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.#schedule = new Schedule(parts.backoff, parts.random, () => void this.#begin(), parts.offDelay);
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

  /** Something new waits for a connection: from `off` that is a reason to look whether the session is back. */
  nudge(): void {
    if (this.state === "off" && this.#wasUp && this.#attempt === undefined) this.#schedule.hurry();
  }

  /** Somebody else is signed in: what is open, or opens with a ticket, was the other's. An attempt that asks for a token goes on. */
  renew(): void {
    this.#parts.handshake.ticket = undefined;
    if (this.link === undefined && this.#attempt?.link === undefined) return;
    this.#drop();
    this.#schedule.next();
    this.#set("waiting");
  }

  stop(state: "closed" | "failed", error?: ClientError): void {
    this.#drop();
    this.#wasUp = false;
    this.#stopWake?.();
    this.#stopWake = undefined;
    // Somebody else may be signed in when it opens again.
    this.#parts.handshake.ticket = undefined;
    this.error = error;
    this.#set(state);
    if (error !== undefined) this.#parts.report(error);
  }

  async #begin(): Promise<void> {
    if (this.#attempt !== undefined) {
      // It hangs. What it leaves behind, such as subscriptions that waited for its token, is for the next one to take along.
      this.#drop();
      return this.#schedule.in(0);
    }
    const attempt: Attempt = { begun: Date.now(), control: new AbortController() };
    const { signal } = attempt.control;
    this.#attempt = attempt;
    // From `off` only once there is somebody to connect: a page that shows the state must not flicker.
    if (this.state !== "off") this.#set("connecting");
    // A listener of the state may have closed it.
    if (signal.aborted) return;
    try {
      const way = await this.#parts.handshake.prepare(signal);
      if (signal.aborted) return;
      if (typeof way === "string") return this.#off(way);
      this.#set("connecting");
      if (!signal.aborted) attempt.link = this.#openLink(way);
    } catch (thrown) {
      if (!signal.aborted) this.#lost(toClientError(thrown, "No connection token"));
    }
  }

  #openLink({ target, credential }: Way): Link {
    const link = new Link({
      target,
      auth: { ...this.#parts.auth(), ...credential },
      pollingOnly: this.#pollingOnly,
      patience: this.#schedule.attempts < FIRST_ATTEMPTS ? FIRST_PATIENCE : PATIENCE,
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
    this.#parts.handshake.arrived(typeof hello.ticket === "string" ? hello.ticket : undefined);
    this.#attempt = undefined;
    this.link = link;
    this.error = undefined;
    this.#wasUp = true;
    this.#schedule.up();
    this.#parts.onHello(hello, link.frame);
    this.#set("connected");
    // A listener of the state may have closed it.
    if (this.link === link) this.#parts.onUp(link);
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
    if (!wasUp) this.#parts.handshake.missed();
    if (error.retry === "refresh") this.#parts.handshake.ticket = undefined;
    const next = afterLoss({ retry: error.retry, wasUp, usedTicket, renewable: this.#parts.renewable });
    if (next !== "no-token") return this.#lost(error, next === "now");
    const { code, message } = error;
    this.stop("failed", new ClientError({ code, message: `${message}; there is no way to get a new token`, retry: "never" }));
  }

  #lost(error: ClientError, now = false): void {
    if (error.retry === "never") return this.stop("failed", error);
    this.#drop();
    this.error = error;
    if (now) this.#schedule.in(0);
    else this.#schedule.later(error);
    this.#set("waiting");
    this.#parts.report(error);
  }

  /** The backend says that nobody is signed in, or that there is no realtime. A session that was up may be back in a moment. */
  #off(reason: string): void {
    const isNew = this.state !== "off";
    if (isNew) this.#schedule.reset();
    this.#drop();
    this.#parts.handshake.ticket = undefined;
    if (!this.#wasUp) this.#schedule.idle();
    else {
      this.#schedule.seldom();
      this.error = new ClientError({
        code: "token-missing",
        message: `${reason}. It is asked again when the page wakes and now and then; connect() asks at once`,
        retry: "refresh",
      });
    }
    this.#set("off");
    if (isNew && this.error !== undefined && this.state === "off") this.#parts.announce(this.error);
  }

  #wake(): void {
    // What made the waits long was the network that is back now.
    this.#schedule.reset();
    this.#pollingOnly = false;
    this.#parts.onWake();
    if (this.link !== undefined) this.link.check(CHECK_TIMEOUT);
    else if (this.#attempt === undefined) this.#schedule.hurry();
    else this.#schedule.again(this.#attempt.begun);
  }

  /** Ends whatever is under way: the link, the wait, the answer that is awaited. */
  #drop(): void {
    this.#schedule.down();
    this.#schedule.cancel();
    clearTimeout(this.#drainTimer);
    this.#drainTimer = undefined;
    const { link = this.#attempt?.link } = this;
    this.#attempt?.control.abort();
    this.link = this.#attempt = undefined;
    link?.close();
    this.#parts.onDown();
  }

  #set(state: State): void {
    if (this.state === state) return;
    this.state = state;
    this.#parts.onState(state);
  }
}

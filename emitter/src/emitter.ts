import type { BellwireError, Position } from "@bellwire/protocol";
import { parseCommand, type CommandKind } from "./control/command.js";
import { siteControl, type SiteControl } from "./control/site-control.js";
import { Recording, type Fake } from "./fake.js";
import { idText, parseSiteId, type Identifier } from "./identifier.js";
import type { PublishOptions } from "./message.js";
import { readOptions, type EmitterOptions, type Settings } from "./options.js";
import { Publisher } from "./publisher.js";
import { createReporter, type ErrorContext } from "./reporter.js";
import type { PersonalKind } from "./personal.js";
import { publishEach, publishOne, publishPersonal, type Append, type PublishResult, type SitePublisher } from "./site.js";
import { watch } from "./watched-promise.js";

/** One site: what can be published there, and what its connections can be made to do. */
export interface Site extends SitePublisher, SiteControl {}

/** A backend's way to ring the bell. */
export interface Emitter extends AsyncDisposable {
  /** False: every publish and command resolves `null`. True while faked. */
  readonly enabled: boolean;
  /** @param site a tenant, `[A-Za-z0-9_-]{1,64}`, or an integer; a wrong one shows when something is published or told */
  site(site: Identifier): Site;
  /** Records publishes and commands instead of sending them, until `restore()`; arguments are still checked. For unit tests. */
  fake(): Fake;
  /** Lets attempts under way finish, then closes the connections. Publishes afterwards reject with `unavailable`. Never rejects. */
  close(): Promise<void>;
}

/**
 * Makes an emitter. Connects when something is first published.
 *
 * @example
 * const emitter = createEmitter({ redis: "redis://127.0.0.1:6379" });
 * await emitter.site("5").publish("Contact_Updated_Topic", { id: 5, updated_by: 3 }); // where it stands in the log
 * await emitter.site("5").publish("Contact_Updated_Topic", { id: 6 }, { wait: false }); // at once; failures go to onError
 *
 * @throws TypeError for an option that is wrong, in a sentence that says which
 */
export function createEmitter(options: EmitterOptions = {}): Emitter {
  const report = createReporter(options.onError);
  const settings = readOptions(options, process.env, (error) => report(error, {}));
  return new OpenEmitter(settings, report);
}

class OpenEmitter implements Emitter {
  readonly #settings: Settings;
  readonly #publisher: Publisher | undefined;
  readonly #report: (error: unknown, context: ErrorContext) => void;
  /** Stands in for the real one while faked. */
  #recorder: Publisher | undefined;
  #closing: Promise<void> | undefined;

  constructor(settings: Settings, report: (error: unknown, context: ErrorContext) => void) {
    this.#settings = settings;
    this.#report = report;
    this.#publisher = settings.transport === undefined ? undefined : new Publisher(settings.transport, settings);
  }

  get enabled(): boolean {
    return this.#current !== undefined;
  }

  get #current(): Publisher | undefined {
    return this.#recorder ?? this.#publisher;
  }

  site(id: Identifier): Site {
    const site = idText(id) as string; // checked with each publish and command
    const publish = (topic: string | readonly string[], data?: object, options?: PublishOptions): Promise<unknown> =>
      waitFor<unknown>(
        Array.isArray(topic)
          ? this.#publishEach(site, topic as string[], data, options)
          : this.#publishOne(site, topic as string, data, options),
        options,
      );
    const control = siteControl(
      (kind, body) => this.#control(kind, site, body),
      (kind, id, data, options) => waitFor(this.#publishPersonal(site, kind, id, data, options), options),
    );
    return { site, publish: publish as SitePublisher["publish"], ...control };
  }

  #control(kind: CommandKind, site: string, body: object): Promise<void | null> {
    const publisher = this.#current;
    if (publisher === undefined) return Promise.resolve(null);
    const work = (async (): Promise<void> => publisher.control(parseCommand(kind, parseSiteId(site), body)))();
    return watch(work, { failed: (error) => this.#report(error, { site, command: kind }) });
  }

  #publishOne(site: string, topic: string, data: unknown, options: unknown): Promise<Position | null> {
    const publisher = this.#current;
    if (publisher === undefined) return Promise.resolve(null);
    const work = publishOne((publication) => publisher.append(publication), this.#settings.maxDataBytes, site, topic, data, options);
    return watch(work, { failed: (error) => this.#report(error, { site, topic }) });
  }

  #publishPersonal(site: string, kind: PersonalKind, id: string, data: unknown, options: unknown): Promise<Position | null> {
    const publisher = this.#current;
    if (publisher === undefined) return Promise.resolve(null);
    const append: Append = (publication) => publisher.append(publication);
    const work = publishPersonal(append, this.#settings.maxDataBytes, site, kind, id, data, options);
    return watch(work, { failed: (error) => this.#report(error, { site, topic: `$${kind}` }) });
  }

  #publishEach(site: string, topics: readonly string[], data: unknown, options: unknown): Promise<PublishResult[] | null> {
    const publisher = this.#current;
    if (publisher === undefined) return Promise.resolve(null);
    const work = publishEach((publication) => publisher.append(publication), this.#settings.maxDataBytes, site, topics, data, options);
    return watch(work, {
      failed: (error) => this.#report(error, { site }),
      succeeded: (results) => {
        for (const { topic, error } of (results ?? []).filter(isRefused)) this.#report(error, { site, topic });
      },
    });
  }

  fake(): Fake {
    const recording = new Recording();
    const recorder = new Publisher(recording, this.#settings);
    this.#recorder = recorder;
    return {
      published: recording.published,
      commands: recording.commands,
      clear: () => recording.clear(),
      restore: () => {
        if (this.#recorder === recorder) this.#recorder = undefined;
      },
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#publisher?.close() ?? Promise.resolve();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** With `{wait: false}` nobody looks at the work's promise, so its failure is reported. */
function waitFor<T>(work: Promise<T>, options: PublishOptions | undefined): Promise<T | null> {
  return options?.wait === false ? Promise.resolve(null) : work;
}

function isRefused(result: PublishResult): result is { readonly topic: string; readonly error: BellwireError } {
  return "error" in result;
}

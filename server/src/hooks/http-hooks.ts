import type { Agent } from "undici";
import { BellwireError, type JsonObject } from "@bellwire/protocol";
import { Rates } from "../pacing/rates.js";
import { createAgent, type Backend, type QuestionLane } from "./backend.js";
import { EVENTS, forEachEvent, HOOK_EVENTS } from "./events.js";
import { Disconnected, type Asker, type ConnectQuestion, type Hooks, type RpcQuestion } from "./hooks.js";
import { HttpForm, jsonOf } from "./http-form.js";
import { holdsName, topicMatcher, type Params } from "./matching.js";
import type { HookEvent, HookQuestions, HookReplies } from "./plain.js";
import type { BackendSettings, HookSettings, HttpFormSettings } from "./settings.js";
import { Signer, signingKeys } from "./signing.js";
import { Unanswered, type Observe, type Outcome } from "./unanswered.js";
import { Webhook } from "./webhook.js";

export interface QuestionLimits {
  /** Of one connection, a second; ten times as many at once. */
  readonly questionsPerSecond: number;
  /** Of all connections of a site. */
  readonly siteQuestionsPerSecond: number;
}

export interface HttpHookOptions {
  /** As the relay's APP_KEY holds it: signs where the settings name no secret. */
  readonly appKey: string;
  readonly observe?: Observe | undefined;
  /** Told in a sentence of what did not work; the same words again and again while it doesn't. */
  readonly warn?: ((message: string) => void) | undefined;
  /** How often a site may ask; default: as often as it likes. */
  readonly limitsOf?: ((site: string) => QuestionLimits) | undefined;
  /** Told of each question that was not even asked, since its connection or site asks too much. */
  readonly onRefused?: ((site: string, error: BellwireError) => void) | undefined;
}

/** Asks one backend; undefined where it is not for this question. */
type Route = (question: Asker) => Promise<unknown> | undefined;

const UNEXPLAINED = "it answered 401 or 403 and did not say why; if it always does, its secret is another one";

/**
 * Asks backends over HTTP, as the configuration file's `hooks` say.
 *
 * Two questions are identical, and asked once while the first waits or is under way, if both are `subscribe` or both are `refresh`,
 * go to the same backend, and their bodies are the same but for `client` and `connection`: the same site, user, session, passed
 * headers and info, and for a subscribe the same topic, filter and params. The backend sees the `client` and `connection` of
 * whoever has the first turn; all of them get its answer, also a refusal or a disconnect.
 */
export function createHttpHooks(settings: HookSettings, options: HttpHookOptions): Hooks {
  return new HttpHooks(settings, options).hooks;
}

class HttpHooks {
  readonly hooks: Hooks;
  readonly #agent: Agent = createAgent();
  readonly #options: HttpHookOptions;
  readonly #connections = new Rates();
  readonly #sites = new Rates();

  constructor(settings: HookSettings, options: HttpHookOptions) {
    this.#options = options;
    const signer = new Signer(signingKeys(settings.secret, options.appKey));
    const route = (event: HookEvent, each: BackendSettings | HttpFormSettings): Route =>
      "http" in each ? this.#callsOf(each, signer) : this.#webhookOf(event, each, signer);
    const asking = forEachEvent<Pick<Hooks, HookEvent>>((event) => {
      const routes = settings[event].map((each) => route(event, each));
      return ((question: Asker) => this.#first(event, routes, question)) as Hooks[typeof event];
    });
    this.hooks = {
      ...asking,
      features: HOOK_EVENTS.filter((event) => settings[event].length > 0),
      // Ends the connections to backends; questions under way are rejected.
      close: () => this.#agent.destroy(),
    };
  }

  #first(event: HookEvent, routes: readonly Route[], question: Asker): Promise<unknown> | undefined {
    for (const route of routes) {
      const reply = route(question);
      if (reply !== undefined) return reply;
    }
    if (routes.length === 0 || event !== "rpc") return undefined;
    return this.#observed(event, undefined, performance.now(), async () => {
      throw new BellwireError("not-found", "There is no such method");
    });
  }

  #webhookOf<Event extends HookEvent>(event: Event, settings: BackendSettings, signer: Signer): Route {
    const webhook = new Webhook(this.#agent, settings, signer);
    const kind = EVENTS[event];
    const params = paramsOf(settings);
    const allowed = settings.onFailure === "allow" ? kind.fallback : undefined;
    return (asker) => {
      const read = params(asker);
      if (read === undefined) return undefined;
      const question = asker as HookQuestions[Event];
      const more = kind.ask(question, read);
      const key = kind.shared ? identity(asker, more) : undefined;
      const parse = (source: JsonObject): HookReplies[Event] => kind.parse(source, question);
      const ask = (end: number): Promise<HookReplies[Event]> => webhook.ask(jsonOf(bodyOf(event, asker, more)), event, parse, end);
      const asked = this.#ask(event, webhook, asker, ask, key);
      if (allowed === undefined) return asked;
      return asked.catch((error: unknown) => {
        if (error instanceof Unanswered && error.away) return allowed();
        throw error;
      });
    };
  }

  #callsOf(settings: HttpFormSettings, signer: Signer): Route {
    const form = new HttpForm(this.#agent, settings, signer);
    return (asker) => {
      const question = asker as RpcQuestion;
      const path = isFor(settings.sites, question.site) ? form.find(question.method) : undefined;
      if (path === undefined) return undefined;
      return this.#ask("rpc", { backend: form.backend, address: settings.http }, question, (end) => form.call(path, question, end));
    };
  }

  /** Asks in the asker's turn, as often as the asker may. Each question is observed once, however many wait for it. */
  async #ask<Reply>(
    event: HookEvent,
    { backend, address }: { readonly backend: Backend; readonly address: string },
    asker: Asker,
    ask: (end: number) => Promise<Reply>,
    key?: string,
  ): Promise<Reply> {
    const started = performance.now();
    try {
      this.#spend(event, asker);
      return await backend.turn(laneOf(event, asker), (end) => this.#observed(event, address, started, () => ask(end)), key);
    } catch (error) {
      if (!(error instanceof Unanswered && error.unasked)) throw error;
      if (error.outcome !== "timeout") this.#options.onRefused?.(asker.site, error);
      return await this.#observed(event, address, started, () => Promise.reject(error));
    }
  }

  /** @throws Unanswered where the connection or its site asks too often */
  #spend(event: HookEvent, { site, connection }: Asker): void {
    const limits = this.#options.limitsOf?.(site);
    if (limits === undefined) return;
    // Whoever connects has asked nothing yet; the site's rate holds them all.
    const own = event === "connect" ? 0 : this.#connections.take(connection, limits.questionsPerSecond);
    if (own > 0) throw new Unanswered("limited", "one connection asks too often", { after: own, unasked: true });
    const all = this.#sites.take(site, limits.siteQuestionsPerSecond);
    if (all > 0) throw new Unanswered("limited", "the site asks too often", { after: all, unasked: true });
  }

  /** Counts, warns, and lets nothing through but what the interface names. */
  async #observed<Reply>(event: HookEvent, address: string | undefined, started: number, ask: () => Promise<Reply>): Promise<Reply> {
    let outcome: Outcome = "ok";
    try {
      return await ask();
    } catch (error) {
      outcome = error instanceof Unanswered ? error.outcome : "refused";
      const detail = error instanceof Unanswered ? error.detail : isUnexplained(error) ? UNEXPLAINED : undefined;
      // Who had no turn for asking too much is on the log by site.
      const told = error instanceof Unanswered && error.unasked && outcome !== "timeout";
      if (detail !== undefined && !told) this.#options.warn?.(`The ${event} hook at ${address}: ${detail}`);
      if (error instanceof BellwireError || error instanceof Disconnected) throw error;
      outcome = "internal";
      throw new BellwireError("internal", "The backend could not be asked", { cause: error });
    } finally {
      this.#options.observe?.(event, outcome, performance.now() - started);
    }
  }
}

/** What a backend's patterns read from a question that it is for; undefined where it is for others. */
function paramsOf({ sites, topics, methods }: BackendSettings): (question: Asker) => Params | undefined {
  const ofTopic = topicMatcher(topics);
  return (question) => {
    const { site, topic, method } = question as Asker & { readonly topic?: string; readonly method?: string };
    if (!isFor(sites, site) || !(method === undefined || holdsName(methods, method))) return undefined;
    return topic === undefined ? {} : ofTopic(topic);
  };
}

/** Newcomers have turns of their own, and among them those who bring a token. */
function laneOf(event: HookEvent, asker: Asker): QuestionLane {
  const newcomer = (asker as ConnectQuestion).claims === undefined ? "stranger" : "known";
  return [asker.site, event === "connect" ? newcomer : "connected", asker.connection];
}

function isFor(sites: readonly string[] | undefined, site: string): boolean {
  return sites === undefined || sites.includes(site);
}

function isUnexplained(error: unknown): boolean {
  return error instanceof BellwireError && error.code === "forbidden" && error.reason === undefined;
}

/** What a backend reads. Nobody is "", so that the fields are always strings. */
function bodyOf(event: string, asker: Asker, more: JsonObject): JsonObject {
  const { site, user, session, client, connection, headers, info } = asker;
  return {
    v: 1,
    event,
    site,
    user,
    session,
    client,
    connection,
    headers,
    ...(info === undefined || info === null ? {} : { info }),
    ...more,
  };
}

/** A backend has turns of its own, so that it is not part of this. */
function identity({ site, user, session, headers, info }: Asker, more: JsonObject): string {
  return jsonOf([site, user, session, headers, info ?? null, more]);
}

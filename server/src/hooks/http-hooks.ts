import type { Agent } from "undici";
import { BellwireError, type JsonObject } from "@bellwire/protocol";
import { createAgent } from "./backend.js";
import {
  Disconnected,
  type Asker,
  type ConnectQuestion,
  type ConnectReply,
  type Hooks,
  type PublishQuestion,
  type PublishReply,
  type RefreshQuestion,
  type RefreshReply,
  type RpcQuestion,
  type RpcReply,
  type SubscribeQuestion,
  type SubscribeReply,
} from "./hooks.js";
import { HttpForm, jsonOf } from "./http-form.js";
import { InFlight } from "../pacing/in-flight.js";
import { holdsName, topicMatcher, type Params } from "./matching.js";
import { parseConnectReply, parsePublishReply, parseRefreshReply, parseRpcReply, parseSubscribeReply } from "./replies.js";
import type { BackendSettings, HookSettings, HttpFormSettings } from "./settings.js";
import { Signer, signingKeys } from "./signing.js";
import { Unanswered, type Observe, type Outcome } from "./unanswered.js";
import { Webhook } from "./webhook.js";

export interface HttpHookOptions {
  /** As the relay's APP_KEY holds it: signs where the settings name no secret. */
  readonly appKey: string;
  readonly observe?: Observe | undefined;
  /** Told in a sentence of what did not work; the same words again and again while it doesn't. */
  readonly warn?: ((message: string) => void) | undefined;
}

interface Route {
  readonly webhook: Webhook;
  readonly sites: readonly string[] | undefined;
  readonly topic: (topic: string) => Params | undefined;
}

type RpcRoute = (question: RpcQuestion) => Promise<RpcReply> | undefined;

const UNEXPLAINED = "it answered 401 or 403 and did not say why; if it always does, its secret is another one";
/** How much longer a connection lasts where the refresh hook could not be asked and failing means "allow". */
const ALLOWED_SECONDS = 60;

/**
 * Asks backends over HTTP, as the configuration file's `hooks` say.
 *
 * Two questions are identical, and asked once while the first is under way, if both are `subscribe` or both are `refresh`, go to
 * the same backend, and their bodies are the same but for `client` and `connection`: the same site, user, session, passed headers
 * and info, and for a subscribe the same topic, filter and params. The backend sees the first asker's `client` and `connection`;
 * all of them get its answer, also a refusal or a disconnect.
 */
export function createHttpHooks(settings: HookSettings, options: HttpHookOptions): Hooks {
  return new HttpHooks(settings, options);
}

class HttpHooks implements Hooks {
  readonly features: readonly string[];
  readonly #agent: Agent = createAgent();
  readonly #options: HttpHookOptions;
  readonly #connect: readonly Route[];
  readonly #refresh: readonly Route[];
  readonly #subscribe: readonly Route[];
  readonly #publish: readonly Route[];
  readonly #rpc: readonly RpcRoute[];
  readonly #refreshes = new InFlight<RefreshReply>();
  readonly #subscribes = new InFlight<SubscribeReply>();

  constructor(settings: HookSettings, options: HttpHookOptions) {
    this.#options = options;
    const signer = new Signer(signingKeys(settings.secret, options.appKey));
    const routes = (backends: readonly BackendSettings[]): Route[] =>
      backends.map((backend) => ({
        webhook: new Webhook(this.#agent, backend, signer),
        sites: backend.sites,
        topic: topicMatcher(backend.topics),
      }));
    this.#connect = routes(settings.connect);
    this.#refresh = routes(settings.refresh);
    this.#subscribe = routes(settings.subscribe);
    this.#publish = routes(settings.publish);
    this.#rpc = settings.rpc.map((each) => ("http" in each ? this.#callsOf(each, signer) : this.#methodsOf(each, signer)));
    this.features = (["connect", "refresh", "subscribe", "publish", "rpc"] as const).filter((event) => settings[event].length > 0);
  }

  connect(question: ConnectQuestion): Promise<ConnectReply> | undefined {
    const found = find(this.#connect, question.site);
    if (found === undefined) return undefined;
    const { data = null, claims } = question;
    const more = { data, ...(claims === undefined ? {} : { claims }) };
    return this.#ask("connect", found.webhook, question, more, (source) => parseConnectReply(source, question));
  }

  refresh(question: RefreshQuestion): Promise<RefreshReply> | undefined {
    const found = find(this.#refresh, question.site);
    if (found === undefined) return undefined;
    const allowed = (): RefreshReply => ({ until: Math.floor(Date.now() / 1000) + ALLOWED_SECONDS });
    return this.#refreshes.ask(identity(found.webhook, question, {}), () =>
      this.#ask("refresh", found.webhook, question, {}, parseRefreshReply, allowed),
    );
  }

  subscribe(question: SubscribeQuestion): Promise<SubscribeReply> | undefined {
    const found = find(this.#subscribe, question.site, question.topic);
    if (found === undefined) return undefined;
    const { topic, filter } = question;
    const more = { topic, filter, params: found.params };
    const allowed = (): SubscribeReply => ({ until: undefined, info: undefined });
    return this.#subscribes.ask(identity(found.webhook, question, more), () =>
      this.#ask("subscribe", found.webhook, question, more, parseSubscribeReply, allowed),
    );
  }

  publish(question: PublishQuestion): Promise<PublishReply> | undefined {
    const found = find(this.#publish, question.site, question.topic);
    if (found === undefined) return undefined;
    const { topic, data } = question;
    const allowed = (): PublishReply => ({ data: undefined, topic: undefined, handled: false });
    return this.#ask("publish", found.webhook, question, { topic, params: found.params, data }, parsePublishReply, allowed);
  }

  rpc(question: RpcQuestion): Promise<RpcReply> | undefined {
    if (this.#rpc.length === 0) return undefined;
    for (const route of this.#rpc) {
      const reply = route(question);
      if (reply !== undefined) return reply;
    }
    return this.#observed("rpc", undefined, async () => {
      throw new BellwireError("not-found", "There is no such method");
    });
  }

  #methodsOf(settings: BackendSettings, signer: Signer): RpcRoute {
    const webhook = new Webhook(this.#agent, settings, signer);
    const { sites, methods } = settings;
    return (question) => {
      if (!isFor(sites, question.site) || !holdsName(methods, question.method)) return undefined;
      const { method, data = null } = question;
      return this.#ask("rpc", webhook, question, { method, data }, parseRpcReply);
    };
  }

  #callsOf(settings: HttpFormSettings, signer: Signer): RpcRoute {
    const form = new HttpForm(this.#agent, settings, signer);
    return (question) => {
      const path = isFor(settings.sites, question.site) ? form.find(question.method) : undefined;
      return path === undefined ? undefined : this.#observed("rpc", settings.http, () => form.call(path, question));
    };
  }

  /** @param allowed the reply where the backend is away and failing means "allow" */
  #ask<Reply>(
    event: string,
    webhook: Webhook,
    asker: Asker,
    more: JsonObject,
    parse: (source: JsonObject) => Reply,
    allowed?: () => Reply,
  ): Promise<Reply> {
    const asked = this.#observed(event, webhook.address, () => webhook.ask(jsonOf(bodyOf(event, asker, more)), event, parse));
    if (allowed === undefined || webhook.onFailure !== "allow") return asked;
    return asked.catch((error: unknown) => {
      if (error instanceof Unanswered && error.away) return allowed();
      throw error;
    });
  }

  /** Counts, warns, and lets nothing through but what the interface names. */
  async #observed<Reply>(event: string, address: string | undefined, ask: () => Promise<Reply>): Promise<Reply> {
    const started = performance.now();
    let outcome: Outcome = "ok";
    try {
      return await ask();
    } catch (error) {
      outcome = error instanceof Unanswered ? error.outcome : "refused";
      const detail = error instanceof Unanswered ? error.detail : isUnexplained(error) ? UNEXPLAINED : undefined;
      if (detail !== undefined) this.#options.warn?.(`The ${event} hook at ${address}: ${detail}`);
      if (error instanceof BellwireError || error instanceof Disconnected) throw error;
      outcome = "internal";
      throw new BellwireError("internal", "The backend could not be asked", { cause: error });
    } finally {
      this.#options.observe?.(event, outcome, performance.now() - started);
    }
  }

  /** Ends the connections to backends; questions under way are rejected. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

function find(routes: readonly Route[], site: string, topic?: string): { webhook: Webhook; params: Params } | undefined {
  for (const { webhook, sites, topic: match } of routes) {
    if (!isFor(sites, site)) continue;
    const params = topic === undefined ? {} : match(topic);
    if (params !== undefined) return { webhook, params };
  }
  return undefined;
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

function identity(webhook: Webhook, { site, user, session, headers, info }: Asker, more: JsonObject): string {
  return jsonOf([webhook.number, site, user, session, headers, info ?? null, more]);
}

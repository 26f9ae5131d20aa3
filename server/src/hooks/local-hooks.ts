import { BellwireError, type Reason } from "@bellwire/protocol";
import { readAnswer } from "./answers.js";
import { forEachEvent, HOOK_EVENTS } from "./events.js";
import { foreign, type Report } from "./foreign.js";
import {
  Disconnected,
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
import { intercept, type HookContext, type Interceptors } from "./interceptors.js";
import type { HookAnswer, HookEvent, HookQuestions, HookReplies } from "./plain.js";
import { refusedFor } from "./replies.js";
import { RpcHandlers } from "./rpc-handlers.js";
import { compileTopicRules, type AskTopicRules, type TopicRules, type TopicRuleSource } from "./topic-rules.js";
import type { Observe, Outcome } from "./unanswered.js";

/** A hook as a function. It refuses by throwing a BellwireError, or by returning `{error}` or `{disconnect}`. */
export type HookFunction<Event extends HookEvent> = (context: HookContext<Event>) => HookAnswer<Event> | Promise<HookAnswer<Event>>;

export type HookFunctions = { readonly [Event in HookEvent]?: HookFunction<Event> };

export interface LocalHookOptions {
  readonly hooks?: HookFunctions | undefined;
  /** Who may subscribe. A topic that a rule or class fits goes by that; the others go by the hook `subscribe`. */
  readonly topics?: TopicRules | readonly TopicRuleSource[] | undefined;
  /** RPC methods; the others go by the hook `rpc`. Handlers may still be added. */
  readonly handlers?: RpcHandlers | undefined;
  readonly interceptors?: Interceptors | undefined;
  /** Milliseconds that each may take; default 10,000, for rpc 30,000. Interceptors have 330,000 in all. */
  readonly timeout?: number | undefined;
  readonly report?: Report | undefined;
  readonly observe?: Observe | undefined;
}

/** Hooks in the same process. `composeHooks` puts its interceptors around all backends, not these alone. */
export interface LocalHooks extends Hooks {
  /** Without the interceptors. */
  readonly bare: Hooks;
  /** These interceptors around other hooks. */
  around(hooks: Hooks): Hooks;
}

const TIMEOUT_MS = 10_000;
const RPC_TIMEOUT_MS = 30_000;
/** More than the longest time that a backend may be given: they wait for those too. */
const INTERCEPTORS_TIMEOUT_MS = 330_000;

/**
 * Answers questions by functions of the application that the relay is embedded in. Whatever they throw or return, the relay
 * sees a reply, a BellwireError or a Disconnected.
 * @throws TypeError for a hook, rule, or interceptor that can't be one
 */
export function createLocalHooks(options: LocalHookOptions = {}): LocalHooks {
  const { interceptors = {}, report = ignore } = options;
  const bare = new FunctionHooks(options);
  const around = (hooks: Hooks): Hooks => intercept(hooks, interceptors, { timeout: INTERCEPTORS_TIMEOUT_MS, report });
  const whole = around(bare);
  return {
    ...forEachEvent<Pick<Hooks, HookEvent>>((event) => whole[event]),
    get features() {
      return whole.features;
    },
    close: () => whole.close(),
    bare,
    around,
  };
}

class FunctionHooks implements Hooks {
  readonly #functions: HookFunctions;
  readonly #topics: AskTopicRules;
  readonly #hasTopics: boolean;
  readonly #handlers: RpcHandlers;
  readonly #options: LocalHookOptions;

  constructor(options: LocalHookOptions) {
    const { hooks = {}, topics = {}, handlers } = options;
    for (const [event, hook] of Object.entries(hooks)) {
      if (!(HOOK_EVENTS as readonly string[]).includes(event)) throw new TypeError(`There is no hook ${JSON.stringify(event)}`);
      if (hook !== undefined && typeof hook !== "function") throw new TypeError(`The hook ${event} is not a function`);
    }
    this.#functions = hooks;
    this.#topics = compileTopicRules(topics);
    this.#hasTopics = (Array.isArray(topics) ? topics : Object.keys(topics)).length > 0;
    this.#handlers = handlers ?? new RpcHandlers();
    this.#options = options;
  }

  get features(): readonly string[] {
    return HOOK_EVENTS.filter(
      (event) =>
        this.#functions[event] !== undefined || (event === "subscribe" && this.#hasTopics) || (event === "rpc" && this.#handlers.size > 0),
    );
  }

  connect(question: ConnectQuestion): Promise<ConnectReply> | undefined {
    return this.#byFunction("connect", question);
  }

  refresh(question: RefreshQuestion): Promise<RefreshReply> | undefined {
    return this.#byFunction("refresh", question);
  }

  subscribe(question: SubscribeQuestion): Promise<SubscribeReply> | undefined {
    const rule = this.#topics(question);
    return rule === undefined ? this.#byFunction("subscribe", question) : this.#run("subscribe", question, rule);
  }

  publish(question: PublishQuestion): Promise<PublishReply> | undefined {
    return this.#byFunction("publish", question);
  }

  rpc(question: RpcQuestion): Promise<RpcReply> | undefined {
    const handler = this.#handlers.find(question.method);
    if (handler === undefined) return this.#byFunction("rpc", question);
    return this.#run("rpc", question, async () => ({ data: await handler(question) }));
  }

  #byFunction<Event extends HookEvent>(event: Event, question: HookQuestions[Event]): Promise<HookReplies[Event]> | undefined {
    const hook = this.#functions[event] as HookFunction<Event> | undefined;
    return hook === undefined ? undefined : this.#run(event, question, () => hook({ ...question, event } as HookContext<Event>));
  }

  async #run<Event extends HookEvent>(event: Event, question: HookQuestions[Event], answer: () => unknown): Promise<HookReplies[Event]> {
    const { timeout = event === "rpc" ? RPC_TIMEOUT_MS : TIMEOUT_MS, report = ignore, observe } = this.#options;
    const started = performance.now();
    let outcome: Outcome = "ok";
    try {
      return await foreign(event, timeout, report, async () => readAnswer(event, await answer(), question));
    } catch (error) {
      const code = error instanceof BellwireError ? error.code : undefined;
      outcome = code === "timeout" || code === "internal" ? code : "refused";
      throw error;
    } finally {
      observe?.(event, outcome, performance.now() - started);
    }
  }

  async close(): Promise<void> {}
}

/**
 * What a hook, handler or interceptor may throw to refuse for a reason of its own: the client's error is `rejected` with this as
 * its `reason`. `refuse("forbidden", message)` says that this user may not: then it is `forbidden`.
 * @example
 * throw refuse("sold-out", "There are no seats left");
 */
export function refuse(code: Reason["code"], message?: string): BellwireError {
  return refusedFor(message === undefined ? { code } : { code, message });
}

/** What a hook, handler or interceptor may throw to end the connection. */
export function disconnect(code: Reason["code"], reason?: string): Disconnected {
  return new Disconnected(
    new BellwireError("forbidden", "The backend ended the connection", {
      reason: reason === undefined ? { code } : { code, message: reason },
    }),
  );
}

function ignore(): void {}

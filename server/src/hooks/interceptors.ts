import { asPlain, readAnswer } from "./answers.js";
import { EVENTS, forEachEvent, HOOK_EVENTS } from "./events.js";
import { foreign, type Report } from "./foreign.js";
import type { Hooks } from "./hooks.js";
import type { HookAnswer, HookEvent, HookQuestions, HookReplies, PlainReplies } from "./plain.js";

/** A question with its event's name. */
export type HookContext<Event extends HookEvent = HookEvent> = { [Each in Event]: { readonly event: Each } & HookQuestions[Each] }[Event];

/**
 * Runs around a question. It may look, answer itself, refuse by throwing a BellwireError, change the question by `next({...})`,
 * or change what `next()` came to. `next` asks the following interceptor, after the last one whoever answers, and rejects where
 * that refuses. It may be called once.
 */
export type Interceptor<Event extends HookEvent = HookEvent> = (
  context: HookContext<Event>,
  next: (changes?: Partial<HookQuestions[Event]>) => Promise<PlainReplies[Event]>,
) => HookAnswer<Event> | Promise<HookAnswer<Event>>;

type OneOrMore<T> = T | readonly T[];

/** Interceptors by event. Those of `*` run around every event, outside the event's own; each list in its order. */
export type Interceptors = { readonly [Event in HookEvent]?: OneOrMore<Interceptor<Event>> } & { readonly "*"?: OneOrMore<Interceptor> };

interface Chains {
  of(event: HookEvent): readonly Interceptor[];
  /** Events with interceptors of their own. */
  readonly own: readonly HookEvent[];
}

export interface InterceptOptions {
  /** Milliseconds for all of an event's interceptors and what they wait for. */
  readonly timeout: number;
  readonly report: Report;
}

/**
 * Hooks with interceptors around them. Where interceptors look at an event that nobody is there to answer, the innermost `next()`
 * does what a relay does without hooks: a connection goes by its token, a publish goes in, the rest is refused.
 * @throws TypeError for an interceptor that is no function, or an event that there isn't
 */
export function intercept(hooks: Hooks, interceptors: Interceptors, options: InterceptOptions): Hooks {
  const chains = chainsOf(interceptors);
  const around = <Event extends HookEvent>(event: Event) => {
    const chain = chains.of(event);
    const ask = hooks[event].bind(hooks) as unknown as (question: HookQuestions[Event]) => Promise<HookReplies[Event]> | undefined;
    if (chain.length === 0) return ask;
    const last = async (question: HookQuestions[Event]): Promise<PlainReplies[Event]> =>
      asPlain(event, await (ask(question) ?? EVENTS[event].unasked(question)));
    return (question: HookQuestions[Event]): Promise<HookReplies[Event]> =>
      foreign(`interceptors of ${event}`, options.timeout, options.report, async () =>
        readAnswer(event, await run(event, chain, question, last), question),
      );
  };
  return {
    ...forEachEvent<Pick<Hooks, HookEvent>>(around as <Event extends HookEvent>(event: Event) => Hooks[Event]),
    get features() {
      return HOOK_EVENTS.filter((event) => hooks.features.includes(event) || chains.own.includes(event));
    },
    close: () => hooks.close(),
  };
}

function run<Event extends HookEvent>(
  event: Event,
  chain: readonly Interceptor[],
  question: HookQuestions[Event],
  last: (question: HookQuestions[Event]) => Promise<PlainReplies[Event]>,
): Promise<unknown> {
  const step = async (at: number, asked: HookQuestions[Event]): Promise<PlainReplies[Event]> => {
    const interceptor = chain[at] as Interceptor<Event> | undefined;
    if (interceptor === undefined) return last(asked);
    let called = false;
    const next = (changes?: Partial<HookQuestions[Event]>): Promise<PlainReplies[Event]> => {
      if (called) return Promise.reject(new Error("An interceptor called next() twice"));
      called = true;
      const reply = step(at + 1, { ...asked, ...changes });
      reply.catch(ignore); // an interceptor may not wait for it
      return reply;
    };
    const answer = await interceptor({ ...asked, event } as HookContext<Event>, next);
    return asPlain(event, readAnswer(event, answer, asked));
  };
  return step(0, question);
}

function chainsOf(interceptors: Interceptors): Chains {
  const lists = new Map<string, readonly Interceptor[]>();
  for (const [event, given] of Object.entries(interceptors)) {
    if (given === undefined) continue;
    if (event !== "*" && !(HOOK_EVENTS as readonly string[]).includes(event))
      throw new TypeError(`There is no event ${JSON.stringify(event)}`);
    const list = (Array.isArray(given) ? given : [given]) as readonly Interceptor[];
    if (!list.every((each) => typeof each === "function")) throw new TypeError(`An interceptor of ${event} is not a function`);
    lists.set(event, list);
  }
  return {
    of: (event) => [...(lists.get("*") ?? []), ...(lists.get(event) ?? [])],
    own: HOOK_EVENTS.filter((event) => (lists.get(event) ?? []).length > 0),
  };
}

function ignore(): void {}

import { BellwireError, filterObject, parseFilter, parseTopic, type ParsedFilter } from "@bellwire/protocol";
import { within } from "../time.js";
import type { ErrorContext } from "../reporter.js";
import type { Permission, TopicContext } from "../topics/define-topic.js";
import type { Topics } from "../topics/create-topics.js";

/** Who asks. */
export interface Asker<User> {
  readonly site: string;
  readonly user: User;
  readonly session: string | undefined;
}

export interface PermissionOptions<User> {
  readonly topics: Topics<User>;
  /** Milliseconds that one `canSubscribe` may take. */
  readonly timeout: number;
  readonly report: (error: unknown, context: ErrorContext) => void;
}

/** An answer to one (topic, filter): allowed, at most until then (epoch seconds), or why not. */
export type Verdict = { readonly topic: string; readonly filter: ParsedFilter; readonly until: number | undefined } | BellwireError;

// Rules ask databases: a page's hundreds of pairs must not take all their connections.
const AT_ONCE = 20;

/** Asks the rules about a list of pairs as they came. The same pair is asked about once. Never rejects. */
export async function decide<User>(pairs: readonly unknown[], asker: Asker<User>, options: PermissionOptions<User>): Promise<Verdict[]> {
  const asked = new Map<string, Promise<Verdict>>();
  const verdicts: Verdict[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let i = next++; i < pairs.length; i = next++) {
      const pair = parsePair(pairs[i]);
      if (pair instanceof BellwireError) verdicts[i] = pair;
      else {
        const name = pair.topic + pair.filter.canonical;
        let verdict = asked.get(name);
        if (verdict === undefined) asked.set(name, (verdict = ask(pair, asker, options)));
        verdicts[i] = await verdict;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return verdicts;
}

interface Pair {
  readonly topic: string;
  readonly filter: ParsedFilter;
}

function parsePair(value: unknown): Pair | BellwireError {
  try {
    const { topic, filter } = (typeof value === "object" && value !== null ? value : {}) as { topic?: unknown; filter?: unknown };
    return { topic: parseTopic(topic), filter: parseFilter(filter) };
  } catch (error) {
    return error instanceof BellwireError ? error : new BellwireError("bad-request", "A subscription is {topic, filter}");
  }
}

async function ask<User>(
  { topic, filter }: Pair,
  { site, user, session }: Asker<User>,
  options: PermissionOptions<User>,
): Promise<Verdict> {
  const found = options.topics.find(topic);
  // The same as for a topic that refuses: what topics there are is nobody's business.
  if (found === undefined) return refused();
  try {
    const context: TopicContext = { site, topic, session };
    const answer = Promise.resolve(found.rule.canSubscribe(user, filterObject(filter), found.params, context));
    const permission = await within(answer, options.timeout, `canSubscribe of ${found.rule.topic}`);
    const until = parsePermission(permission);
    return until === false ? refused() : { topic, filter, until };
  } catch (error) {
    options.report(error, { site, topic });
    // Its message may tell what the user may not know.
    return new BellwireError("internal", "The permission could not be checked");
  }
}

/** False: refused; else the end in epoch seconds, if any. Anything that isn't clearly a yes is a no. */
function parsePermission(permission: Permission): number | undefined | false {
  if (permission === true) return undefined;
  if (permission === false) return false;
  if (typeof permission !== "object" || permission === null) {
    throw new TypeError(`canSubscribe answers true, false or {until}, not ${permission === null ? "null" : typeof permission}`);
  }
  const { until } = permission;
  if (until === undefined || until === null) return undefined;
  if (typeof until !== "number" || !Number.isFinite(until)) throw new TypeError("until is a number of epoch seconds");
  return until <= Date.now() / 1000 ? false : until;
}

function refused(): BellwireError {
  return new BellwireError("forbidden", "This topic may not be subscribed with this filter");
}

import { ClientError } from "./errors.js";
import { invoke, type Report } from "./invoke.js";

/** Milliseconds that all must be well before a failure counts as the first again. */
const STABLE = 10_000;
/** The most lines that the console gets; each has its own code or topic. */
const MOST = 50;

/** What to look at, where the error's own message may not say it. */
const REMEDIES: Readonly<Record<string, string>> = {
  "token-expired": "do the clocks of backend and relay agree?",
  forbidden: "see the topic's rule in the backend, or its hook",
  internal: "the log of backend and relay says why",
  unavailable: "do backend and relay run, and is `endpoint` right?",
  timeout: "do backend and relay run, and does the proxy let WebSocket pass?",
};

interface Problem {
  readonly failures: Map<string, number>;
  /** Epoch milliseconds: since when all is well. */
  whole: number;
}

export interface Reporter {
  readonly report: Report;
  /** The connection, or a topic's subscriptions, are well. */
  whole(topic?: string): void;
}

/**
 * Sends errors to whoever listens. With no listener an exception of the application becomes an uncaught error of its own turn, and
 * what else goes wrong goes to the console once for each code and topic: at once where it is for good, else with the second
 * failure, since a first one mends itself as a rule.
 * @param listener returns whether anybody took it
 * @param waiting the topics that wait for a connection
 */
export function createReporter(
  onError: ((error: Error) => unknown) | undefined,
  listener: (error: Error) => boolean,
  waiting: () => readonly string[],
  now: () => number = Date.now,
): Reporter {
  const problems = new Map<string | undefined, Problem>();
  let lines = 0;

  function tell(error: ClientError): void {
    const { topic, code, message, retry } = error;
    let problem = problems.get(topic);
    if (problem === undefined || now() - problem.whole > STABLE) problem = { failures: new Map(), whole: Infinity };
    problem.whole = Infinity;
    problems.set(topic, problem);
    const failures = (problem.failures.get(code) ?? 0) + 1;
    problem.failures.set(code, failures);
    if (failures !== (retry === "never" ? 1 : 2) || lines++ >= MOST) return;
    const [first, ...others] = topic === undefined ? new Set(waiting()) : [topic];
    const who = first === undefined ? "" : `"${first}"${others.length > 0 ? ` and ${others.length} more` : ""}: `;
    const remedy = REMEDIES[code] ?? "";
    console.warn(`bellwire: ${who}${message}${remedy && `; ${remedy}`} (${code}${retry === "never" ? "" : ", tried again"})`);
  }

  return {
    report(thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
      const heard = listener(error);
      if (onError !== undefined) return invoke(onError, uncaught, error);
      if (heard) return;
      if (error instanceof ClientError) tell(error);
      else uncaught(error);
    },
    whole(topic) {
      const problem = problems.get(topic);
      if (problem !== undefined) problem.whole = Math.min(problem.whole, now());
    },
  };
}

/** The last resort, also for error handlers that throw. Later, so that it can't disturb who is calling. */
export function uncaught(error: unknown): void {
  setTimeout(() => {
    if (typeof reportError === "function") reportError(error);
    else console.error(error);
  }, 0);
}

import { pino, type Logger as Pino } from "pino";

/**
 * What a relay says: sentences on a terminal, the same as JSON elsewhere. Each kind of event is a method, so that
 * nobody has to grep for the words.
 */
export interface Logger {
  listening(port: number): void;
  redisConnected(address: string): void;
  redisTrouble(error: unknown, stage: string): void;
  counts(counts: { connections: number; subscriptions: number; cached: number }): void;
  /** Something that whoever runs the relay should read once. */
  warn(message: string): void;
  info(message: string): void;
  /** @param allowed the origins listed so far */
  originRefused(origin: string, allowed: readonly string[]): void;
  /** Clients were refused. The caller sees to it that there are few such lines. */
  refused(message: string, fields: object): void;
  /** A failure of ours, with its cause. */
  failure(stage: string, error: unknown): void;
}

export interface LoggerOptions {
  /** Sentences instead of JSON; default: whether standard output is a terminal. */
  readonly sentences?: boolean;
  readonly write?: (line: string) => void;
}

const REPEAT_MS = 60_000;
const MOST_A_MINUTE = 100;

export function createLogger(options: LoggerOptions = {}): Logger {
  const write = options.write ?? ((line: string) => process.stdout.write(`${line}\n`));
  const sentences = options.sentences ?? process.stdout.isTTY === true;
  const json: Pino = pino(
    { base: { name: "realtime" }, formatters: { level: (label) => ({ level: label }) } },
    { write: (line) => write(line.trimEnd()) },
  );
  const seen = new Set<string>();
  let since = Number.NEGATIVE_INFINITY;

  const say = (level: "info" | "warn" | "error", message: string, fields: Record<string, unknown> = {}): void => {
    if (sentences) write(`[realtime] ${message}`);
    else json[level](fields, message);
  };
  /** At most once a minute for the same words: a failing neighbour must not fill the disk. */
  const sparsely = (level: "warn" | "error", message: string, fields: Record<string, unknown> = {}): void => {
    const now = Date.now();
    if (now - since >= REPEAT_MS) {
      since = now;
      seen.clear();
    }
    // Words that strangers choose, such as a page's origin, are bounded in number too.
    if (seen.has(message) || seen.size >= MOST_A_MINUTE) return;
    seen.add(message);
    say(level, message, fields);
  };

  return {
    listening: (port) => say("info", `WebSocket server listening on port ${port}`, { port }),
    redisConnected: (address) => say("info", `Connected to Redis at ${address}`, { address }),
    redisTrouble: (error, stage) => sparsely("warn", `Redis (${stage}): ${describe(error)}`, { stage }),
    counts: (counts) =>
      say("info", `Connections: ${counts.connections}, Subscriptions: ${counts.subscriptions}, Cached messages: ${counts.cached}`, counts),
    warn: (message) => sparsely("warn", message),
    info: (message) => say("info", message),
    originRefused: (origin, allowed) => sparsely("warn", `Refused a page from ${printable(origin)}; ${originRemedy(origin, allowed)}`),
    refused: (message, fields) => say("warn", printable(message), { ...fields }),
    failure: (stage, error) =>
      sparsely("error", `${stage}: ${describe(error)}`, { stage, stack: error instanceof Error ? error.stack : undefined }),
  };
}

/** The line to add. Frames in a sandbox and local files have the origin `null`, which no list can name. */
function originRemedy(origin: string, allowed: readonly string[]): string {
  const nameable = URL.canParse(origin) && new URL(origin).origin === origin;
  return nameable
    ? `to allow it: REALTIME_ALLOWED_ORIGINS=${[...allowed, origin].join(",")}`
    : "only REALTIME_ALLOWED_ORIGINS=* lets pages in that have no origin of their own";
}

function describe(error: unknown): string {
  return printable(error instanceof Error ? error.message || error.name : String(error));
}

/** Foreign text in one line, without control characters and of bounded length. */
function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f]/g, " ").slice(0, 300);
}

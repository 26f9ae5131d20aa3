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

const MINUTE_MS = 60_000;
/** Different lines of one kind in a minute. */
const MOST_A_MINUTE = 100;
/** Of those whose words strangers choose. */
const MOST_OF_STRANGERS = 20;

/** What one kind of line has said in the minute that began then. */
interface Spoken {
  since: number;
  readonly lines: Set<string>;
}

export function createLogger(options: LoggerOptions = {}): Logger {
  const write = options.write ?? ((line: string) => process.stdout.write(`${line}\n`));
  const sentences = options.sentences ?? process.stdout.isTTY === true;
  const json: Pino = pino(
    { base: { name: "realtime" }, formatters: { level: (label) => ({ level: label }) } },
    { write: (line) => write(line.trimEnd()) },
  );
  const spoken = new Map<string, Spoken>();

  const say = (level: "info" | "warn" | "error", message: string, fields: Record<string, unknown> = {}): void => {
    if (sentences) write(`[realtime] ${message}`);
    else json[level](fields, message);
  };
  /**
   * At most once a minute for the same words: a failing neighbour must not fill the disk. Each kind has a budget of its own, so that
   * none of them takes another's, least of all one whose words strangers choose that of what the operator has to know.
   */
  const sparsely = (kind: string, level: "warn" | "error", message: string, fields: Record<string, unknown> = {}): void => {
    const now = Date.now();
    const mine = spoken.get(kind) ?? { since: now, lines: new Set<string>() };
    spoken.set(kind, mine);
    if (now - mine.since >= MINUTE_MS) {
      mine.since = now;
      mine.lines.clear();
    }
    const most = kind === "origin" ? MOST_OF_STRANGERS : MOST_A_MINUTE;
    if (mine.lines.has(message) || mine.lines.size > most) return;
    mine.lines.add(message);
    if (mine.lines.size <= most) say(level, message, fields);
    else say(level, `${message} (for a minute, no more such lines: ${kind})`, fields);
  };

  return {
    listening: (port) => say("info", `WebSocket server listening on port ${port}`, { port }),
    redisConnected: (address) => say("info", `Connected to Redis at ${address}`, { address }),
    redisTrouble: (error, stage) => sparsely(`redis ${stage}`, "warn", `Redis (${stage}): ${describe(error)}`, { stage }),
    counts: (counts) =>
      say("info", `Connections: ${counts.connections}, Subscriptions: ${counts.subscriptions}, Cached messages: ${counts.cached}`, counts),
    warn: (message) => sparsely("warning", "warn", message),
    info: (message) => say("info", message),
    originRefused: (origin, allowed) =>
      sparsely("origin", "warn", `Refused a page from ${printable(origin)}; ${originRemedy(origin, allowed)}`),
    refused: (message, fields) => say("warn", printable(message), { ...fields }),
    failure: (stage, error) =>
      sparsely(`failure ${stage}`, "error", `${stage}: ${describe(error)}`, {
        stage,
        stack: error instanceof Error ? error.stack : undefined,
      }),
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

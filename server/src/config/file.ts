import { readFileSync } from "node:fs";
import { isSite, isTopicPattern } from "@bellwire/protocol";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { isOrigin } from "./origins.js";
import { DAY_MS, duration } from "./duration.js";
import { hooks } from "./hooks.js";
import { ConfigError } from "./reader.js";

const signingKey = z.union([z.string(), z.strictObject({ key: z.string(), kid: z.string().optional() })]);

/** One topic's options. Add a new option here and to `TopicSettings`, where everybody asks for it. */
const topic = z.strictObject({
  log: z.strictObject({ messages: z.int().min(1).max(100_000).default(1000), age: duration.default(DAY_MS) }).optional(),
  publish: z
    .union([z.boolean(), z.literal("anyone")])
    .default(false)
    .describe(
      "Whether clients may publish, by a grant or where the publish hook says yes; `anyone`: without either, unless there is a hook",
    ),
  presence: z
    .union([z.boolean(), z.literal("count")])
    .default(false)
    .describe("Whether clients may see who is there, or `count`: how many"),
});

const topics = z.record(z.string().refine(isTopicPattern, "a topic, or a prefix that ends in *"), topic).default({});
const apiKey = z.string().min(16);

/** Bounds that a site may have of its own. */
const siteLimits = {
  subscriptionsPerConnection: z.int().min(1).max(100_000),
  subscriptionsPerFrame: z.int().min(1).max(10_000),
  roomsPerConnection: z.int().min(1).max(1_000_000).describe("A filter takes a room for each combination of its values"),
  roomsPerFrame: z.int().min(1).max(100_000),
  dataBytes: z.int().min(2).max(1_000_000),
  questionsPerSecond: z
    .int()
    .min(1)
    .max(1_000_000)
    .describe("Questions that one connection may have hooks asked in a second, on average; ten times as many at once"),
  siteQuestionsPerSecond: z.int().min(1).max(1_000_000).describe("The same for all connections of a site on one relay"),
};

const site = z.strictObject({
  keys: z.array(signingKey).min(1).optional(),
  apiKeys: z.array(apiKey).default([]).describe("Bearer keys of the HTTP interface that are bound to this site"),
  origins: z
    .array(z.string().refine(isOrigin, "an origin such as https://example.com (no path, no slash at the end), or *"))
    .optional()
    .describe("The pages that may connect, in place of REALTIME_ALLOWED_ORIGINS"),
  anonymous: z.boolean().default(true),
  limits: z.strictObject(siteLimits).partial().default({}).describe("In place of the common ones"),
  topics: topics.describe("Before the common ones: the first name that covers a topic counts"),
});

const address = z.strictObject({ host: z.string().min(1), port: z.int().min(1).max(65_535) });

/** Where Redis is, for what the environment can't say: TLS, Sentinel, Cluster. */
const redis = z.strictObject({
  url: z.url({ protocol: /^rediss?$/ }).optional(),
  host: z.string().min(1).optional(),
  port: z.int().min(1).max(65_535).optional(),
  db: z.int().min(0).optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  prefix: z.string().optional(),
  tls: z
    .union([
      z.literal(true),
      z.strictObject({
        ca: z.string().describe("A file").optional(),
        cert: z.string().describe("A file").optional(),
        key: z.string().describe("A file").optional(),
        servername: z.string().optional(),
        rejectUnauthorized: z.boolean().optional(),
      }),
    ])
    .optional(),
  sentinels: z.array(address).min(1).optional(),
  name: z.string().describe("The master's name, as the Sentinels know it").optional(),
  sentinelPassword: z.string().optional(),
  sentinelTls: z.boolean().describe("False: Sentinels are spoken to without TLS although the master has it").optional(),
  nodes: z.array(address).min(1).describe("Some nodes of a Redis Cluster").optional(),
});

const fileSchema = z.strictObject({
  redis: redis.optional(),
  sites: z.record(z.string().refine(isSite, "a site is 1 to 64 characters of A-Z a-z 0-9 _ -"), site).default({}),
  topics,
  apiKeys: z.array(z.strictObject({ key: apiKey, sites: z.array(z.string()).optional() })).default([]),
  personal: z
    .boolean()
    .default(true)
    .describe("Whether every user and session has a personal topic, joined on connect: a subscription more for each connection"),
  anonymous: z.boolean().default(true).describe("Whether visitors without a user may connect to sites not listed under `sites`"),
  limits: z
    .strictObject({
      subscriptionsPerConnection: siteLimits.subscriptionsPerConnection.default(1000),
      subscriptionsPerFrame: siteLimits.subscriptionsPerFrame.default(1000),
      roomsPerConnection: siteLimits.roomsPerConnection.default(5000),
      roomsPerFrame: siteLimits.roomsPerFrame.default(5000),
      dataBytes: siteLimits.dataBytes.default(4096),
      questionsPerSecond: siteLimits.questionsPerSecond.default(100),
      siteQuestionsPerSecond: siteLimits.siteQuestionsPerSecond.default(1000),
      waitingBytes: z.int().min(65_536).default(4_194_304).describe("Bytes that may wait for one socket before it is closed as slow"),
      connections: z.int().min(1).default(100_000).describe("Of one site, on one relay"),
      connectionsPerUser: z.int().min(1).default(1000).describe("Of one user of a site, on one relay"),
      connectionsPerSession: z.int().min(1).default(500).describe("Of one session of a site, on one relay"),
      connectionsPerAddress: z.int().min(1).default(1000).describe("Of one address, on one relay and all sites"),
      handshakesPerSecond: z.int().min(1).default(100).describe("Connections begun from one address; ten times as many may come at once"),
      waitingPerAddress: z.int().min(1).default(500).describe("Connections from one address that are open and not admitted yet"),
    })
    .prefault({}),
  hooks: hooks.prefault({}),
  drain: z
    .strictObject({
      accept: duration.default(5000).describe("How long new connections are taken after SIGTERM, while balancers notice"),
      spread: duration.default(20_000).describe("Over how long clients are sent away after that, at most"),
      rate: z.number().positive().default(100).describe("Clients sent away per second where that takes less"),
    })
    .prefault({}),
  tickets: z.strictObject({ life: duration.default(300_000).describe("How long a ticket is good for; 0 turns tickets off") }).prefault({}),
});

/** The file that REALTIME_CONFIG names, checked and with its defaults. Durations are milliseconds. */
export type FileConfig = z.output<typeof fileSchema>;

/** What the file holds, as one writes it: a duration is a text like "24h" or a number of milliseconds. */
export type FileInput = z.input<typeof fileSchema>;

/** The file's JSON Schema, for editors. */
export function fileJsonSchema(): object {
  return z.toJSONSchema(fileSchema, { io: "input" });
}

/** The file's settings where there is no file. */
export function emptyFile(): FileConfig {
  return fileSchema.parse({});
}

/** Reads a YAML or JSON file. @throws ConfigError with the place of the first mistake */
export function readConfigFile(path: string): FileConfig {
  let source: unknown;
  try {
    source = parseYaml(readFileSync(path, "utf8")) ?? {};
  } catch (error) {
    throw new ConfigError(`REALTIME_CONFIG: ${path} can't be read: ${(error as Error).message.split("\n", 1)[0]}`);
  }
  return parseFile(source, `REALTIME_CONFIG: ${path}`, "the file");
}

/** Reads what a file would say, given as a value. @throws ConfigError with the place of the first mistake */
export function readInlineConfig(source: unknown): FileConfig {
  return parseFile(source, "settings", "they");
}

function parseFile(source: unknown, where: string, whole: string): FileConfig {
  const result = fileSchema.safeParse(source);
  if (result.success) return result.data;
  const issue = result.error.issues[0] as z.core.$ZodIssue;
  throw new ConfigError(`${where}: ${issue.path.join(".") || whole}: ${wordsOf(issue)}`);
}

/** What is wrong, where zod itself says no more than that a key or value fits nothing. */
function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_key") return issue.issues.map(wordsOf).join(", ");
  if (issue.code !== "invalid_union" || issue.errors.length === 0) return issue.message;
  return issue.errors.map((choice) => choice.map((each) => [...each.path, wordsOf(each)].join(": ")).join(", ")).join("; or ");
}

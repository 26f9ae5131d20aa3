import { isSite, isTopicPattern } from "@bellwire/protocol";
import { z } from "zod";
import { EVENTS, forEachEvent } from "../hooks/events.js";
import { topicMatcher } from "../hooks/matching.js";
import { normalAllowed } from "../hooks/rpc-path.js";
import type { BackendSettings, HookSettings, HttpFormSettings } from "../hooks/settings.js";
import type { HookEvent } from "../hooks/plain.js";
import { isHookSecret } from "../hooks/signing.js";
import { duration } from "./duration.js";

const SECOND = 1000;
const LONGEST = 300 * SECOND;

const site = z.string().refine(isSite, "a site is 1 to 64 characters of A-Z a-z 0-9 _ -");
const url = z.string().refine(isAddress, "an http:// or https:// address without user, password or #");
const topicPattern = z.string().refine(isHookTopic, "a topic, a prefix that ends in *, or a pattern such as user.{uuid}");
const timeout = (fallback: number): z.ZodType<number, number | string | undefined> =>
  duration
    .refine((ms) => ms >= 1 && ms <= LONGEST, "a timeout is 1ms to 5m")
    .default(fallback)
    .describe("For a whole question: waiting, all attempts and the pauses between them");
const retries = (fallback: number): z.ZodDefault<z.ZodInt> =>
  z.int().min(0).max(10).default(fallback).describe("Further attempts after a failed connection or an answer of 500 and above");

const call = {
  concurrency: z.int().min(1).max(10_000).default(100).describe("Questions under way at a time"),
  queue: z
    .int()
    .min(0)
    .max(100_000)
    .default(1000)
    .describe("Questions of one site that may wait for their turn; ten times as many of all sites"),
  sites: z.array(site).min(1).optional().describe("The sites that it answers for; absent: all"),
};
const refuses = { onFailure: z.literal("refuse").default("refuse") };
const mayAllow = {
  onFailure: z
    .enum(["refuse", "allow"])
    .default("refuse")
    .describe("What becomes of a question where nobody is at the backend's address; whatever else fails is refused"),
};
const topics = z.array(topicPattern).min(1).optional();
const method = z
  .string()
  .regex(/^[^*]{0,128}\*?$/, "a method, or a prefix that ends in *")
  .min(1);
const methods = z.array(method).min(1).optional();

/** A backend that is asked one event's questions. */
function backend(event: HookEvent): z.ZodType<BackendSettings, unknown> {
  const { defaults, fallback, by } = EVENTS[event];
  return z
    .strictObject({
      url,
      timeout: timeout(defaults.timeout),
      retries: retries(defaults.retries),
      ...call,
      ...(fallback === undefined ? refuses : mayAllow),
      ...(by === "topic" ? { topics } : by === "method" ? { methods } : {}),
    })
    .meta({ id: event });
}

const httpForm = z
  .strictObject({
    http: url
      .refine((text) => !text.includes("?"), "the address that paths are added to has no query")
      .transform((text) => (text.endsWith("/") ? text : `${text}/`))
      .describe("What paths are added to"),
    allow: z
      .array(z.string().transform((entry, context) => normalAllowed(entry) ?? refuseEntry(context)))
      .min(1)
      .describe("Calls such as get:users/1, or prefixes that end in *"),
    timeout: timeout(EVENTS.rpc.defaults.timeout),
    ...call,
  })
  .meta({ id: "calls" });
const notices = z.strictObject({
  url,
  events: z
    .array(z.enum(["connected", "disconnected", "occupied", "vacated"]))
    .min(1)
    .default(["connected", "disconnected", "occupied", "vacated"]),
  timeout: timeout(10 * SECOND),
  topics: z
    .array(z.string().refine(isTopicPattern, "a topic, or a prefix that ends in *"))
    .default(["*"])
    .describe("The topics whose occupied and vacated are told"),
  filters: z.boolean().default(false).describe("Whether occupied and vacated are told for each filter of a topic"),
});

/** One backend, or several of which the first that fits is asked. */
function oneOrMore<Settings>(schema: z.ZodType<Settings, unknown>): z.ZodType<Settings[], unknown> {
  return z
    .union([z.array(schema), schema])
    .transform((given) => (Array.isArray(given) ? given : [given]) as Settings[])
    .default([]);
}

/** The section `hooks`. */
export const hooks: z.ZodType<HookSettings, Readonly<Record<string, unknown>>> = z.strictObject({
  secret: z
    .union([z.array(hookSecret()).min(1), hookSecret()])
    .transform((given) => (Array.isArray(given) ? given : [given]))
    .default([])
    .describe("What questions are signed with; several sign side by side. Absent: a key derived from APP_KEY"),
  headers: z
    .array(
      z
        .string()
        .regex(/^([A-Za-z0-9!#$&'^_`|~.+-]+|cookie:[^\s;,="]+)$/, "the name of a header, or cookie:<name>")
        .transform((name) => (name.startsWith("cookie:") ? name : name.toLowerCase())),
    )
    .default([])
    .describe("The browser's headers that are passed on"),
  ...forEachEvent<{ [Event in HookEvent]: z.ZodType }>((event) => {
    if (event !== "rpc") return oneOrMore<BackendSettings>(backend(event));
    return oneOrMore<BackendSettings | HttpFormSettings>(z.union([backend(event), httpForm]));
  }),
  notices: notices.optional(),
}) as z.ZodType<HookSettings, Readonly<Record<string, unknown>>>;

function hookSecret(): z.ZodString {
  return z.string().refine(isHookSecret, "a secret is whsec_ and 24 to 64 bytes in base64, e.g. whsec_$(openssl rand -base64 32)");
}

function isAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, hash } = new URL(text);
  return (protocol === "http:" || protocol === "https:") && username === "" && password === "" && hash === "";
}

function isHookTopic(text: string): boolean {
  if (!text.includes("{")) return isTopicPattern(text);
  try {
    topicMatcher([text]);
    return true;
  } catch {
    return false;
  }
}

function refuseEntry(context: z.RefinementCtx): never {
  context.addIssue({ code: "custom", message: "a call is verb:path such as get:users/1, or a prefix of one that ends in *" });
  return z.NEVER;
}

import { topicMatches } from "@bellwire/protocol";
import { DEFAULT_LOG, type LogLimits } from "@bellwire/emitter/redis";
import type { KeySet } from "../auth/keyring.js";
import type { HookSettings } from "../hooks/settings.js";
import type { AllowedOrigins } from "./origins.js";
import type { FileConfig } from "./file.js";

/** What one topic of a site is and allows. */
export interface TopicSettings {
  /** How much its log keeps. */
  readonly log: LogLimits;
  /** Whether clients may publish, by a grant or a hook's yes; `anyone`: without either. */
  readonly publish: boolean | "anyone";
  /** Whether clients may see who is there; `count`: how many only. */
  readonly presence: boolean | "count";
}

export type Limits = Readonly<FileConfig["limits"]>;

/** What one site is and allows. */
export interface SiteSettings {
  /** What its tokens are signed with, and its tickets. */
  readonly keys: KeySet;
  /** Bearer keys of the HTTP interface that are bound to it. */
  readonly apiKeys: readonly string[];
  /** The pages that may connect. */
  readonly origins: AllowedOrigins;
  /** Whether visitors without a user may connect. */
  readonly anonymous: boolean;
  readonly limits: Limits;
  readonly hooks: HookSettings;
  /** Whether any topic has what clients may find here. */
  readonly offers: { readonly publish: boolean; readonly presence: boolean };
  topic(name: string): TopicSettings;
}

/**
 * Where everything asks what a site may, each time anew: an answer may be another one a moment later, and is not to be kept. Asking
 * is cheap enough for each message. Sites are named by strangers: an implementation MUST NOT keep anything for a name that is not
 * configured.
 */
export interface Settings {
  /** @param site a valid name, whether or not anybody has heard of it */
  of(site: string): SiteSettings;
  /** Of all sites that are configured, and of those that aren't. */
  all(): Iterable<SiteSettings>;
}

type Rule = readonly [pattern: string, options: FileConfig["topics"][string]];

/** What holds for sites of which the file says nothing. */
export type CommonSettings = Pick<SiteSettings, "keys" | "origins">;

/** Settings as the configuration file has them. Sites that it does not list share one object. */
export class FileSettings implements Settings {
  readonly #others: SiteSettings;
  readonly #listed = new Map<string, SiteSettings>();

  constructor(file: FileConfig, common: CommonSettings) {
    const { limits, hooks, anonymous } = file;
    const rules = Object.entries(file.topics);
    this.#others = siteSettings({ ...common, limits, hooks, anonymous, apiKeys: [] }, rules);
    for (const [name, site] of Object.entries(file.sites)) {
      const keys = site.keys === undefined ? common.keys : { keys: site.keys.map((key) => (typeof key === "string" ? { key } : key)) };
      const { apiKeys, anonymous: open, origins = common.origins } = site;
      const fields = { hooks, keys, apiKeys, anonymous: open, origins, limits: over(limits, site.limits) };
      this.#listed.set(name, siteSettings(fields, [...Object.entries(site.topics), ...rules]));
    }
  }

  of(site: string): SiteSettings {
    return this.#listed.get(site) ?? this.#others;
  }

  all(): Iterable<SiteSettings> {
    return [this.#others, ...this.#listed.values()];
  }
}

function over(limits: Limits, own: { readonly [Name in keyof Limits]?: Limits[Name] | undefined }): Limits {
  const said = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...limits, ...(Object.fromEntries(said) as Partial<Limits>) };
}

function siteSettings(fields: Omit<SiteSettings, "topic" | "offers">, rules: readonly Rule[]): SiteSettings {
  const logs = rules.filter(([, { log }]) => log !== undefined);
  const unnamed: TopicSettings = { log: DEFAULT_LOG, publish: false, presence: false };
  return {
    ...fields,
    offers: {
      publish: rules.some(([, { publish }]) => publish !== false),
      presence: rules.some(([, { presence }]) => presence !== false),
    },
    topic: (name) => {
      const found = first(rules, name);
      if (found === undefined) return unnamed;
      return { log: first(logs, name)?.log ?? DEFAULT_LOG, publish: found.publish, presence: found.presence };
    },
  };
}

function first(rules: readonly Rule[], topic: string): Rule[1] | undefined {
  return rules.find(([pattern]) => topicMatches(pattern, topic))?.[1];
}

import { BellwireError, type Grant } from "@bellwire/protocol";
import { mintConnectToken, mintSubscribeToken } from "@bellwire/emitter";
import { readFilter, readJson, readMoment, readSeconds, readSite } from "./arguments.js";
import { UsageError } from "./failure.js";
import { print, say } from "./output.js";
import { signingKey } from "./settings.js";

export interface TokenFlags {
  readonly site: string;
  readonly user?: string;
  readonly session?: string;
  readonly topic?: readonly string[];
  readonly filter?: string;
  readonly ttl: string;
  readonly until?: string;
  /** Of a connection token. */
  readonly info?: string;
}

/** Prints a connection token. Rejects with UsageError or ConfigError. */
export async function connectToken(flags: TokenFlags): Promise<void> {
  const { info } = flags;
  const grants = grantsOf(flags);
  await printToken(flags, (key, claims, options) =>
    mintConnectToken(
      key,
      { ...claims, ...(info === undefined ? {} : { info: readJson(info, "--info") }), ...(grants.length === 0 ? {} : { grants }) },
      options,
    ),
  );
}

/** Prints a subscribe token. Rejects with UsageError or ConfigError. */
export async function subscribeToken(flags: TokenFlags): Promise<void> {
  const grants = grantsOf(flags);
  if (grants.length === 0) throw new UsageError("A subscribe token grants something: name it with --topic");
  await printToken(flags, (key, claims, options) => mintSubscribeToken(key, { ...claims, grants }, options));
}

function grantsOf({ topic = [], filter }: TokenFlags): Grant[] {
  const common = readFilter(filter);
  if (topic.length === 0 && filter !== undefined) throw new UsageError("--filter limits what --topic grants: name a topic too");
  return topic.map((name) => ({ topic: name, filter: common }));
}

interface Claims {
  readonly site: string;
  readonly user?: string | undefined;
  readonly session?: string | undefined;
  readonly ttl: number;
  readonly until?: number | undefined;
}

type Mint = (key: string, claims: Claims, options: { readonly kid?: string | undefined }) => Promise<string>;

async function printToken(flags: TokenFlags, mint: Mint): Promise<void> {
  const site = readSite(flags.site);
  const { user, session } = flags;
  const ttl = readSeconds(flags.ttl, "--ttl");
  const until = flags.until === undefined ? undefined : readMoment(flags.until, "--until");
  const { key, kid } = signingKey(process.env, site);
  try {
    print(await mint(key, { site, user, session, ttl, until }, { kid }));
  } catch (error) {
    throw error instanceof BellwireError ? new UsageError(error.message) : error;
  }
  if (until !== undefined && until * 1000 <= Date.now()) say("--until has passed already: relays refuse this token");
}

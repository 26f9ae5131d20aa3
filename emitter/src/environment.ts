/** What a backend's environment says. `null`, as Laravel writes it, and "" mean absent. */
export interface Environment {
  readonly [name: string]: string | undefined;
}

/** The variable's text, or undefined where it is absent. */
export function readText(env: Environment, name: string): string | undefined {
  const text = env[name]?.trim();
  return text === undefined || text === "" || text.toLowerCase() === "null" ? undefined : text;
}

const TRUE = /^(true|1|yes|on)$/i;
const FALSE = /^(false|0|no|off)$/i;

/** `REALTIME_ENABLED`; default true. @throws TypeError */
export function readEnabled(env: Environment): boolean {
  const text = readText(env, "REALTIME_ENABLED");
  if (text === undefined || TRUE.test(text)) return true;
  if (FALSE.test(text)) return false;
  throw new TypeError(`REALTIME_ENABLED is true or false, not ${JSON.stringify(text)}`);
}

/** Where Redis is, in the form that ioredis takes. */
export type RedisFromEnvironment =
  string | { readonly host: string; readonly port: number; readonly username?: string; readonly password?: string; readonly db?: number };

/** `REDIS_URL`, or `REDIS_HOST` with its companions; undefined where neither is set. @throws TypeError */
export function readRedis(env: Environment): RedisFromEnvironment | undefined {
  const url = readText(env, "REDIS_URL");
  if (url !== undefined) {
    if (!/^rediss?:\/\//.test(url) || !URL.canParse(url)) throw new TypeError("REDIS_URL is a URL like redis://127.0.0.1:6379/0");
    return url;
  }
  const host = readText(env, "REDIS_HOST");
  if (host === undefined) return undefined;
  const username = readText(env, "REDIS_USERNAME");
  const password = readText(env, "REDIS_PASSWORD");
  const db = readInteger(env, "REDIS_DB", 0, 0x7fffffff);
  return {
    host,
    port: readInteger(env, "REDIS_PORT", 1, 65_535) ?? 6379,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(db === undefined ? {} : { db }),
  };
}

function readInteger(env: Environment, name: string, least: number, most: number): number | undefined {
  const text = readText(env, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new TypeError(`${name} is an integer from ${least} to ${most}, not ${JSON.stringify(text)}`);
}

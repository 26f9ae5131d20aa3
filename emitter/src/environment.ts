/** What an environment says. `null` in any case, as Laravel writes it, and "" mean absent. */
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

/** @throws TypeError */
export function readFlag(env: Environment, name: string, fallback: boolean): boolean {
  const text = readText(env, name);
  if (text === undefined) return fallback;
  if (TRUE.test(text)) return true;
  if (FALSE.test(text)) return false;
  throw new TypeError(`${name} must be true or false, not ${JSON.stringify(text)}`);
}

/** `REALTIME_ENABLED`; default true. @throws TypeError */
export function readEnabled(env: Environment): boolean {
  return readFlag(env, "REALTIME_ENABLED", true);
}

/** @throws TypeError */
export function readInteger(env: Environment, name: string, least: number, most: number): number | undefined {
  const text = readText(env, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new TypeError(`${name} must be a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`);
}

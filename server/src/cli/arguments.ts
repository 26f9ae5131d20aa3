import { readFileSync } from "node:fs";
import { asObject, parseFilter, parseSite, parseTopic, type Filter, type JsonObject } from "@bellwire/protocol";
import { typed, UsageError } from "./failure.js";

/** @throws UsageError */
export function readSite(text: string): string {
  return typed(() => parseSite(text), `${JSON.stringify(text)} is no site. `);
}

/** @throws UsageError */
export function readTopic(text: string): string {
  return typed(() => parseTopic(text), `${JSON.stringify(text)} can't be used. `);
}

/** @throws UsageError */
export function readFilter(text: string | undefined): Filter {
  if (text === undefined) return {};
  const filter = readObject(text, "--filter");
  typed(() => parseFilter(filter), "--filter: ");
  return filter as Filter;
}

/** Reads a JSON object that was typed. @throws UsageError */
export function readObject(text: string, name: string): JsonObject {
  const value = asObject(readJson(text, name));
  if (value === undefined) throw new UsageError(`${name} must be a JSON object such as '{"id":5}', not ${short(text)}`);
  return value;
}

/** @throws UsageError */
export function readJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`${name} must be JSON such as '{"id":5}' (mind the quotes of your shell), not ${short(text)}`);
  }
}

/** Text, or for `-` what comes in on standard input. */
export function readArgument(text: string): string {
  return text === "-" ? readFileSync(0, "utf8") : text;
}

/** @throws UsageError */
export function readCount(text: string, name: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && Number.isSafeInteger(count)) return count;
  throw new UsageError(`${name} must be a whole number from 1, not ${short(text)}`);
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Reads `90`, `90s`, `5m`, `2h` or `1d`. @returns seconds @throws UsageError */
export function readSeconds(text: string, name: string): number {
  const [, amount, unit = "s"] = /^(\d+(?:\.\d+)?)([smhd])?$/.exec(text) ?? [];
  const seconds = Number(amount) * (SECONDS[unit] as number);
  if (amount !== undefined && seconds > 0) return seconds;
  throw new UsageError(`${name} must be seconds, or a number with s, m, h or d such as 5m, not ${short(text)}`);
}

/** Reads epoch seconds, a date such as 2030-01-31T12:00Z, or a duration from now. @returns epoch seconds @throws UsageError */
export function readMoment(text: string, name: string, now: number = Date.now() / 1000): number {
  if (/^\d{9,}(\.\d+)?$/.test(text)) return Number(text);
  if (/^\d+(\.\d+)?[smhd]$/.test(text)) return Math.ceil(now + readSeconds(text, name));
  const date = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(date)) return date / 1000;
  throw new UsageError(
    `${name} must be epoch seconds, a date such as 2030-01-31T12:00Z or a duration from now such as 2h, not ${short(text)}`,
  );
}

function short(text: string): string {
  return JSON.stringify(text.length <= 60 ? text : `${text.slice(0, 60)}...`);
}

import { z } from "zod";

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

export const DAY_MS: number = UNITS.d;

/** "24h", "500ms", or a number of milliseconds; read as milliseconds. */
export const duration: z.ZodType<number, number | string> = z
  .union([
    z.number().nonnegative(),
    z.string().regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/, "a duration is a number with ms, s, m, h or d, e.g. 24h"),
  ])
  .transform((value) => {
    if (typeof value === "number") return value;
    const [, amount, unit] = /^([\d.]+)(\D+)$/.exec(value) as unknown as [string, string, keyof typeof UNITS];
    return Number(amount) * UNITS[unit];
  });

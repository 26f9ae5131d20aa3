export interface Finding {
  readonly level: "ok" | "warn" | "fail";
  /** What was looked at. */
  readonly check: string;
  readonly says: string;
  /** What to do about it. */
  readonly remedy?: string;
}

export function ok(check: string, says: string): Finding {
  return { level: "ok", check, says };
}

/** It works, and something about it should be known. */
export function warn(check: string, says: string, remedy: string): Finding {
  return { level: "warn", check, says, remedy };
}

export function fail(check: string, says: string, remedy: string): Finding {
  return { level: "fail", check, says, remedy };
}

const WIDTH = 16;

/** A finding as one line. */
export function lineOf({ level, check, says, remedy }: Finding): string {
  const line = `${level.padEnd(4)}  ${check.padEnd(WIDTH)}  ${says}${remedy === undefined ? "" : ` -> ${remedy}`}`;
  return line.replace(/\s*[\r\n]+\s*/g, " ");
}

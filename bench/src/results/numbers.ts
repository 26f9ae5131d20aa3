/** Three digits that count, with separators for thousands. */
export function show(value: number): string {
  if (Number.isNaN(value)) return "-";
  if (!Number.isFinite(value)) return "infinite";
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en");
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 4));
}

export function times(value: number): string {
  return `${show(value)}x`;
}

/** Microseconds as milliseconds. */
export function milliseconds(value: number): string {
  return show(value / 1000);
}

import type { RoundReport } from "./round.js";

/** Adds rounds up. */
export class Summary {
  readonly #reports: RoundReport[] = [];

  add(report: RoundReport): void {
    this.#reports.push(report);
  }

  get violations(): number {
    return this.#sum(({ violations }) => violations.length);
  }

  #sum(figure: (report: RoundReport) => number): number {
    return this.#reports.reduce((sum, report) => sum + figure(report), 0);
  }

  text(ms: number): string {
    const kinds = new Map<string, number>();
    for (const kind of this.#reports.flatMap(({ faults }) => faults)) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    const byKind = [...kinds].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    const lines: [string, string | number][] = [
      ["minutes", (ms / 60_000).toFixed(1)],
      ["rounds", this.#reports.length],
      ["faults", [...kinds.values()].reduce((sum, count) => sum + count, 0)],
      ...byKind.map(([kind, count]): [string, number] => [`  ${kind}`, count]),
      ["messages published", this.#sum(({ published }) => published)],
      ["  acknowledged", this.#sum(({ acknowledged }) => acknowledged)],
      ["deliveries", this.#sum(({ deliveries }) => deliveries)],
      ["resyncs", this.#sum(({ resyncs }) => resyncs)],
      ["slowest detection", `${Math.max(0, ...this.#reports.map(({ slowest }) => slowest))} ms`],
      ["violations", this.violations],
    ];
    return lines.map(([name, value]) => `${name.padEnd(40)}${String(value).padStart(12)}`).join("\n");
  }
}

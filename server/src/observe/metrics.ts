import type { FastifyInstance } from "fastify";
import { collectDefaultMetrics, Counter, Gauge, Registry } from "prom-client";

/** Counts by label values, e.g. `[["limit"], 3]`. */
export type Counted = Iterable<readonly [values: readonly string[], count: number]>;

/**
 * The numbers of one relay. Each part registers its own where they are kept, under a name without `bellwire_` and with what it means,
 * as docs/metrics.md says it too. Nothing is written here while the relay works: numbers are read when somebody asks for them.
 */
export class Metrics {
  readonly #registry = new Registry();

  /** A number that is true at the moment it is asked for. */
  gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name: `bellwire_${name}`,
      help,
      registers: [this.#registry],
      collect() {
        this.set(read());
      },
    });
  }

  /** A count that only rises; `_total` is added to its name. */
  counter(name: string, help: string, read: () => number): void {
    new Counter({
      name: `bellwire_${name}_total`,
      help,
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  /** The same, told apart by labels. Their values MUST be few: never what a client chose. */
  counters<Label extends string>(name: string, help: string, labels: readonly Label[], read: () => Counted): void {
    new Counter<Label>({
      name: `bellwire_${name}_total`,
      help,
      labelNames: labels,
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [values, count] of read()) {
          const named = labels.map((label, i) => [label, values[i] ?? ""] as const);
          this.inc(Object.fromEntries(named) as Record<Label, string>, count);
        }
      },
    });
  }

  /** Answers `GET /metrics` in Prometheus's text form, with the numbers of the process. */
  serve(app: FastifyInstance): void {
    collectDefaultMetrics({ register: this.#registry });
    app.get("/metrics", async (_request, reply) => reply.type(this.#registry.contentType).send(await this.#registry.metrics()));
  }
}

/** Counts of a few kinds, in a map. */
export class Tally {
  readonly #counts = new Map<string, number>();

  /** @param values of the labels, in their order; none may hold a line break */
  add(...values: readonly string[]): void {
    const name = values.join("\n");
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  get(...values: readonly string[]): number | undefined {
    return this.#counts.get(values.join("\n"));
  }

  *[Symbol.iterator](): Iterator<readonly [values: readonly string[], count: number]> {
    for (const [name, count] of this.#counts) yield [name.split("\n"), count];
  }
}

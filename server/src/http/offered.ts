/** A route's path in segments; those that begin with a colon stand for anything. */
type Pattern = readonly string[];

/** Which methods an HTTP server offers for which paths: what its router knows, and does not tell. */
export class Offered {
  readonly #routes: { readonly pattern: Pattern; readonly methods: Set<string> }[] = [];
  readonly #byUrl = new Map<string, Set<string>>();

  /** @param url a route as the router reads it, e.g. `/v1/sites/:site/publish` */
  add(url: string, methods: readonly string[]): void {
    let known = this.#byUrl.get(url);
    if (known === undefined) {
      known = new Set();
      this.#byUrl.set(url, known);
      this.#routes.push({ pattern: segmentsOf(url), methods: known });
    }
    for (const method of methods) known.add(method);
  }

  /** The methods for a request's URL, in alphabetical order; none where nothing is there. */
  methodsFor(url: string): string[] {
    const path = segmentsOf(url.replace(/[?#].*$/s, ""));
    return this.#routes
      .filter(({ pattern }) => fits(pattern, path))
      .flatMap(({ methods }) => [...methods])
      .sort();
  }
}

/** A slash at the end makes no difference, as for the router. */
function segmentsOf(path: string): string[] {
  return path.replace(/\/$/, "").split("/");
}

function fits(pattern: Pattern, path: readonly string[]): boolean {
  return pattern.length === path.length && pattern.every((segment, i) => segment.startsWith(":") || segment === path[i]);
}

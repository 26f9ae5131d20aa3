import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toMarkdown } from "./markdown.js";
import type { Kept } from "./kept.js";
import { toSvg } from "./plot.js";

/** The results in a folder: `results/<scenario>.json` and `.svg`, and RESULTS.md made from all of them. */
export class ResultStore {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  save(kept: Kept): void {
    const folder = join(this.#dir, "results");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${kept.name}.json`), `${JSON.stringify(kept, undefined, 2)}\n`);
    writeFileSync(join(folder, `${kept.name}.svg`), toSvg(kept.outcome.plot));
  }

  /** Writes RESULTS.md; gives its path. */
  write(names: readonly string[], peers: readonly string[]): string {
    const kept = names.map((name) => join(this.#dir, "results", `${name}.json`)).filter((file) => existsSync(file));
    const results = kept.map((file) => JSON.parse(readFileSync(file, "utf8")) as Kept);
    const path = join(this.#dir, "RESULTS.md");
    writeFileSync(path, toMarkdown(results, peers));
    return path;
  }
}

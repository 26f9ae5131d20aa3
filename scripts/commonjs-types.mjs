// Writes what `require()` reads as types: the declarations once more, in a folder that says it is CommonJS. Node requires the modules
// themselves as they are, but TypeScript's `node16` lets a CommonJS file name ESM declarations in no way.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "./run.mjs";

for (const name of ["protocol", "client", "emitter", "server"]) {
  const dist = join(root, name, "dist");
  const folder = join(dist, "commonjs");
  rmSync(folder, { recursive: true, force: true });
  for (const file of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
    if (file.endsWith(".d.ts")) copy(join(dist, file), join(folder, file));
  }
  writeFileSync(join(folder, "package.json"), '{ "type": "commonjs" }\n');
}

/** Without its map, which would point beside the sources from here. */
function copy(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, readFileSync(from, "utf8").replace(/\n?\/\/# sourceMappingURL=.*\s*$/, "\n"));
}

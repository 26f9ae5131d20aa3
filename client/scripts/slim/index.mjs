// An esbuild plugin that leaves out of socket.io-client what Bellwire never uses, so that the bundle keeps to its size.
// Its engine stays, without the methods that are never called.
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { prune, pruned } from "./prune.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const packageOf = (name) => dirname(fileURLToPath(import.meta.resolve(`${name}/package.json`)));
const engine = join(packageOf("engine.io-client"), "build/esm");

const slashed = (path) => path.replaceAll("\\", "/");

/** What is replaced, by whom it is asked for. `from` is a path's end. */
const replacements = [
  { what: /^socket\.io-client$/, by: join(here, "socket.io-client.js") },
  { what: /^\.\/transports\/index\.js$/, from: "engine.io-client/build/esm", by: join(here, "transports.js") },
  { what: /^\.\/contrib\/parseuri\.js$/, from: "engine.io-client/build/esm", by: join(here, "parseuri.js") },
  { what: /^engine\.io-parser$/, by: join(here, "engine.io-parser.js") },
  { what: /^@socket\.io\/component-emitter$/, by: join(here, "component-emitter.js") },
  { what: /^bellwire:engine\//, by: undefined },
];

export const slim = {
  name: "slim",
  setup(build) {
    for (const { what, from, by } of replacements) {
      build.onResolve({ filter: what }, ({ path, resolveDir }) => {
        if (from !== undefined && !slashed(resolveDir).endsWith(from)) return undefined;
        return { path: by ?? join(engine, path.slice("bellwire:engine/".length)), sideEffects: false };
      });
    }
    build.onLoad({ filter: /\bengine\.io-client[\\/]build[\\/]esm[\\/]/ }, async ({ path }) => {
      const found = Object.entries(pruned).find(([end]) => slashed(path).endsWith(end));
      return found === undefined ? undefined : { contents: prune(await readFile(path, "utf8"), found[1]), loader: "js" };
    });
  },
};

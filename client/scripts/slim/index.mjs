// An esbuild plugin that puts what Bellwire needs of socket.io-client and its engine in their place, so that the bundle keeps to its size:
// they carry managers, queues, upgrades and options for every runtime there is.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));

/** What is replaced, by whom it is asked for. */
const replacements = [
  { what: /^socket\.io-client$/, by: "socket.io-client.js" },
  { what: /^engine\.io-client$/, by: "engine.io-client.js" },
  { what: /^@socket\.io\/component-emitter$/, by: "component-emitter.js" },
];

export const slim = {
  name: "slim",
  setup(build) {
    for (const { what, by } of replacements) {
      build.onResolve({ filter: what }, () => ({ path: join(here, by), sideEffects: false }));
    }
  },
};

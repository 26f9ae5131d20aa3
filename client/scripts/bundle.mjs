// Builds dist/bundle/client.js for the script tag, element.js for a second one (the custom element), and dist/bundle/client.mjs for `import` without a bundler.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { slim } from "./slim/index.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

const common = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  target: "es2022",
  platform: "browser",
  // From the sources, so that a bundle needs no `tsc` before it and can't be older than they are.
  conditions: ["source"],
  // Names that begin with _ are socket.io-client's own affair.
  mangleProps: /^_/,
  mangleQuoted: true,
  legalComments: "none",
  banner: { js: "/* Bellwire, MIT licence; includes socket.io-client, MIT licence, (c) Guillermo Rauch */" },
  logLevel: "warning",
  plugins: [slim],
};

await build({ ...common, entryPoints: ["src/script.ts"], format: "iife", outfile: "dist/bundle/client.js" });
await build({ ...common, entryPoints: ["src/index.ts"], format: "esm", outfile: "dist/bundle/client.mjs" });
await build({
  ...common,
  entryPoints: ["src/bindings/element.ts"],
  format: "iife",
  outfile: "dist/bundle/element.js",
  banner: { js: "/* Bellwire, MIT licence */" },
});

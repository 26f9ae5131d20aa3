// Bundles the backend for Node and the page for browsers into dist/.
import { cp, mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const options = { bundle: true, format: "esm", sourcemap: true, logLevel: "warning" };

await mkdir(at("dist/page"), { recursive: true });
await Promise.all([
  build({
    ...options,
    entryPoints: [at("src/main.ts"), at("src/server.ts")],
    outdir: at("dist"),
    platform: "node",
    target: "node20.19",
    packages: "external",
  }),
  build({ ...options, entryPoints: [at("page/app.ts")], outdir: at("dist/page"), platform: "browser", target: "es2022", minify: true }),
  ...["index.html", "style.css"].map((file) => cp(at(`page/${file}`), at(`dist/page/${file}`))),
]);

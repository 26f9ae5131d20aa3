import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { build } from "esbuild";

const folder = fileURLToPath(new URL("../../client/src/", import.meta.url));
const LIMIT = 1024;

/** What a file adds to a page that has the core: minified and gzipped, in bytes. */
async function sizeOf(file: string, core: RegExp): Promise<number> {
  const { outputFiles } = await build({
    entryPoints: [folder + file],
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    target: "es2022",
    plugins: [{ name: "core", setup: ({ onResolve }) => onResolve({ filter: core }, ({ path }) => ({ path, external: true })) }],
  });
  return gzipSync(outputFiles[0]?.contents as Uint8Array, { level: 9 }).length;
}

describe("the bindings' sizes", () => {
  const names = readdirSync(`${folder}bindings`);

  it("are found", () => expect(names).to.include.members(["react.ts", "vue.ts"]));

  for (const name of names) {
    it(`${name} adds at most 1 KB`, async () => {
      expect(await sizeOf(`bindings/${name}`, /^[^./]|^\.\.\//)).to.be.at.most(LIMIT);
    });
  }

  it("what they share, once, adds at most 2 KB", async () => {
    expect(await sizeOf("watch/index.ts", /^[^./]|^\.\.\//)).to.be.at.most(2 * LIMIT);
  });

  it("what the query caches share, once, adds at most 1 KB", async () => {
    expect(await sizeOf("refetch/invalidate-on.ts", /^[^./]|^\.\.\//)).to.be.at.most(LIMIT);
  });
});

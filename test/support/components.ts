import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Loader, type Plugin } from "esbuild";
import { compile } from "svelte/compiler";
import { compileScript, parse } from "vue/compiler-sfc";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The snippets of docs/components.md that have a file's name, by that name. */
export function snippets(): Map<string, string> {
  const text = readFileSync(`${root}docs/components.md`, "utf8");
  return new Map(Array.from(text.matchAll(/^```\w+ (\S+)\n(.*?)^```/gms), ([, name, code]) => [name as string, code as string]));
}

/** A page's script: the code given, which imports snippets as `docs:name`, with the frameworks' own compilers. */
export async function bundle(code: string): Promise<string> {
  const files = snippets();
  const docs: Plugin = {
    name: "docs",
    setup({ onResolve, onLoad }) {
      // From outside by `docs:name`, and among themselves as they would stand beside each other.
      onResolve({ filter: /^docs:/ }, ({ path }) => ({ path: path.slice(5), namespace: "docs" }));
      onResolve({ filter: /^\.\// }, ({ path, namespace }) =>
        namespace === "docs" ? { path: basename(path).replace(/\.js$/, ".ts"), namespace } : undefined,
      );
      onLoad({ filter: /./, namespace: "docs" }, ({ path }) => ({
        ...compiled(path, files.get(path) as string),
        resolveDir: `${root}test`,
      }));
    },
  };
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: `${root}test`, loader: "tsx" },
    bundle: true,
    write: false,
    format: "iife",
    conditions: ["source", "browser", "development"],
    define: {
      "process.env.NODE_ENV": '"development"',
      __VUE_OPTIONS_API__: "true",
      __VUE_PROD_DEVTOOLS__: "false",
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
    },
    jsx: "automatic",
    tsconfigRaw: { compilerOptions: { useDefineForClassFields: true, verbatimModuleSyntax: true } },
    plugins: [docs],
    logLevel: "warning",
  });
  return outputFiles[0]?.text as string;
}

function compiled(name: string, code: string): { contents: string; loader: Loader } {
  if (name.endsWith(".svelte")) {
    return { contents: compile(code, { filename: name, generate: "client", dev: true }).js.code, loader: "js" };
  }
  if (name.endsWith(".vue")) {
    const { descriptor } = parse(code, { filename: name });
    return { contents: compileScript(descriptor, { id: name, inlineTemplate: true }).content, loader: "ts" };
  }
  return { contents: code, loader: name.endsWith(".tsx") ? "tsx" : "ts" };
}

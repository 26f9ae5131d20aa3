import { createRequire } from "node:module";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type * as hooks from "@bellwire/client/react";
import type React from "react";
import type * as client from "react-dom/client";
import type * as server from "react-dom/server";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Whose React each version is. */
const FOLDERS = { 18: "compat/react-18", 19: "test" };

export const VERSIONS = Object.keys(FOLDERS) as unknown as readonly (keyof typeof FOLDERS)[];

export interface LoadedReact {
  readonly React: typeof React;
  readonly client: typeof client;
  readonly server: typeof server;
  readonly hooks: typeof hooks;
}

/** The hooks, built with one version of the real React. */
export async function loadReact(version: keyof typeof FOLDERS): Promise<LoadedReact> {
  const folder = await mkdtemp(join(tmpdir(), "bellwire-react-"));
  const outfile = join(folder, "react.cjs");
  const { resolve } = createRequire(join(root, FOLDERS[version], "package.json"));
  const code = `
    exports.React = require("react");
    exports.client = require("react-dom/client");
    exports.server = require("react-dom/server");
    exports.hooks = require("@bellwire/client/react");`;
  await build({
    stdin: { contents: code, resolveDir: join(root, "test") },
    outfile,
    bundle: true,
    format: "cjs",
    platform: "node",
    conditions: ["source"],
    plugins: [
      {
        name: "react",
        setup: ({ onResolve }) => onResolve({ filter: /^react(-dom)?(\/|$)/ }, ({ path }) => ({ path: resolve(path), external: true })),
      },
    ],
    logLevel: "warning",
  });
  try {
    return createRequire(outfile)(outfile) as LoadedReact;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

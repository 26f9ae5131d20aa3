import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root. */
export const root: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The packages that get published, each with the packages of the house that it may import. */
export const arrows: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  client: ["protocol"],
  emitter: ["protocol"],
  server: ["emitter", "protocol"],
};

const NOT_OURS = new Set(["node_modules", "dist", ".git", ".artifacts", "results"]);

/** Files below a folder of the repository, as paths from the root with forward slashes; nothing built or installed. */
export function filesOf(folder: string, extensions: RegExp): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (NOT_OURS.has(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesOf(path, extensions);
    return extensions.test(entry.name) ? [path.split(sep).join("/")] : [];
  });
}

export function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

export interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

export function manifest(folder: string): Manifest {
  return JSON.parse(read(`${folder}/package.json`)) as Manifest;
}

/** What a file imports, types included: the specifiers as written. */
export function importsOf(path: string): string[] {
  const code = withoutComments(read(path));
  const statements =
    /(?:^|[\s;}])(?:import|export)\s[^"'`;]*?from\s*["']([^"']+)["']|(?:^|[\s;}])import\s*["']([^"']+)["']|\bimport\s*\(\s*["']([^"']+)["']/g;
  return [...code.matchAll(statements)].map((match) => match[1] ?? match[2] ?? (match[3] as string));
}

/** What a file imports to run it: the specifiers of imports and exports that are more than types. */
export function runImportsOf(path: string): string[] {
  const statements = /(?:^|[\s;}])(?:import|export)\s+(type\s)?([^;"'`]*?)from\s*["']([^"']+)["']/g;
  const found = [...withoutComments(read(path)).matchAll(statements)];
  return found.flatMap(([, typed, names = "", specifier = ""]) => {
    const each = names.replace(/[{}\s]+/g, " ").split(",");
    const onlyTypes = typed !== undefined || each.every((name) => name.trim() === "" || name.trim().startsWith("type "));
    return onlyTypes ? [] : [specifier];
  });
}

/** What a file only asks the place of, at run time. */
export function resolvedBy(path: string): string[] {
  return [...withoutComments(read(path)).matchAll(/\bresolve\(\s*["']([^"']+)["']/g)].map((match) => match[1] as string);
}

function withoutComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");
}

/** The file that a relative specifier means, as a path from the root. */
export function target(from: string, specifier: string): string {
  const path = relative(root, join(root, dirname(from), specifier))
    .split(sep)
    .join("/");
  return path.replace(/\.js$/, ".ts");
}

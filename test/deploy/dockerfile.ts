import { cp, lstat, mkdir, readdir, symlink } from "node:fs/promises";
import { basename, join, relative, sep } from "node:path";
import { root } from "../house/tree.js";
import { run } from "./checkers.js";

export interface Instruction {
  readonly name: string;
  readonly rest: string;
}

export interface Stage {
  readonly name: string;
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

/** The stages of a Dockerfile, each named. Heredocs are not known here. */
export function parseDockerfile(text: string): Stage[] {
  const lines = text
    .split("\n")
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join("\n")
    .replace(/\\\n\s*/g, "");
  const stages: { name: string; base: string; instructions: Instruction[] }[] = [];
  for (const line of lines.split("\n")) {
    const [, name, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) as unknown as [string, string, string];
    const from = name === "FROM" ? /^(\S+) AS (\w+)$/.exec(rest) : null;
    if (from !== null) stages.push({ name: from[2] as string, base: from[1] as string, instructions: [] });
    else stages.at(-1)?.instructions.push({ name, rest });
  }
  return stages;
}

/** The words of an instruction's JSON form. */
export function words(stage: Stage, name: string): string[] {
  const { rest } = stage.instructions.find((one) => one.name === name) as Instruction;
  return JSON.parse(rest.slice(rest.indexOf("["))) as string[];
}

export interface Copy {
  /** The stage that it copies from; undefined: the folder that is built. */
  readonly from: string | undefined;
  readonly sources: readonly string[];
  readonly to: string;
}

export function copyOf({ rest }: Instruction): Copy {
  const parts = rest.split(/\s+/);
  const from = parts[0]?.startsWith("--from=") ? parts.shift()?.slice("--from=".length) : undefined;
  const to = parts.pop() as string;
  return { from, sources: parts, to };
}

/** Whether a `.dockerignore` lets a path through: the last pattern that fits it, or a folder above it, decides. */
export function seenBy(ignore: string): (path: string) => boolean {
  const rules = ignore
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const pattern = line
        .replace(/^!/, "")
        .replace(/[.+]/g, "\\$&")
        .replace(/\*\*\/|\*\*|\*/g, (star) => (star === "**/" ? "(.*/)?" : star === "**" ? ".*" : "[^/]*"));
      return { hides: !line.startsWith("!"), pattern: new RegExp(`^${pattern}(/.*)?$`) };
    });
  return (path) => rules.findLast(({ pattern }) => pattern.test(path))?.hides !== true;
}

/**
 * Does what a build would do, as far as that goes without one: the stages are folders, COPY copies, RUN runs. In place of the
 * base image there is this machine's Node, and in place of a full `npm ci` the packages that are installed here already.
 */
export class Replay {
  readonly #stages: readonly Stage[];
  readonly #dir: string;
  readonly #sees: (path: string) => boolean;
  readonly #folders = new Map<string, Promise<string>>();

  constructor(stages: readonly Stage[], dir: string, sees: (path: string) => boolean) {
    this.#stages = stages;
    this.#dir = dir;
    this.#sees = sees;
  }

  /** The folder that stands for a stage's /app, built when it is first asked for. */
  folder(name: string): Promise<string> {
    const folder = this.#folders.get(name) ?? this.#build(name);
    this.#folders.set(name, folder);
    return folder;
  }

  async #build(name: string): Promise<string> {
    const folder = join(this.#dir, name);
    const stage = this.#stages.find((one) => one.name === name);
    if (stage === undefined) throw new Error(`There is no stage ${name}`);
    await mkdir(folder, { recursive: true });
    if (this.#stages.some((one) => one.name === stage.base)) await cp(await this.folder(stage.base), folder, { recursive: true });
    for (const instruction of stage.instructions) {
      if (instruction.name === "COPY") await this.#copy(instruction, folder);
      if (instruction.name === "RUN") await this.#run(instruction.rest, folder);
    }
    return folder;
  }

  async #copy(instruction: Instruction, folder: string): Promise<void> {
    const { from, sources, to } = copyOf(instruction);
    const base = from === undefined ? root : await this.folder(from);
    for (const named of sources) {
      const source = join(base, named.replace(/^\/app\/?/, ""));
      const isFile = (await lstat(source)).isFile();
      const installed = join(base, "node_modules");
      const take = (path: string): boolean => {
        if (from !== undefined) return path !== installed;
        return (path === source && !isFile) || this.#sees(relative(root, path).split(sep).join("/"));
      };
      if (!take(source)) throw new Error(`${named} is hidden by .dockerignore`);
      const target = isFile && to.endsWith("/") ? join(folder, to, basename(source)) : join(folder, to);
      await cp(source, target, { recursive: true, verbatimSymlinks: true, filter: take });
      // Thousands of files that nobody changes any more.
      if (from !== undefined && source === base) await symlink(installed, join(target, "node_modules"));
    }
  }

  async #run(command: string, folder: string): Promise<void> {
    if (/^npm ci(?!.*--omit)/.test(command)) {
      await linkInstalled(folder);
      return;
    }
    // The packages are in npm's cache since they were installed here.
    const { status, said } = await run("sh", ["-c", command], { cwd: folder, env: { ...process.env, npm_config_prefer_offline: "true" } });
    if (status !== 0) throw new Error(`RUN ${command}\n${said}`);
  }
}

/** Gives a folder the packages installed here: all but our own, which are links to its own folders. */
async function linkInstalled(folder: string): Promise<void> {
  const workspaces = ["", ...["protocol", "client", "emitter", "server"].map((name) => `${name}/`)];
  for (const workspace of workspaces) {
    const names = await readdir(join(root, workspace, "node_modules")).catch(() => []);
    if (names.length > 0) await mkdir(join(folder, workspace, "node_modules"), { recursive: true });
    for (const name of names) {
      const installed = join(root, workspace, "node_modules", name);
      const here = join(folder, workspace, "node_modules", name);
      if (name === "@bellwire") await cp(installed, here, { recursive: true, verbatimSymlinks: true });
      else await symlink(installed, here);
    }
  }
}

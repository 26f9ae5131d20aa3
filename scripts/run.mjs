import { spawn } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const windows = process.platform === "win32";

/** Children that still run, so that a script can end them all. */
const running = new Set();

/**
 * Starts a program in a process group of its own, so that Ctrl-C reaches it through us alone and `endTree` takes its children too.
 * @param {string} file
 * @param {readonly string[]} args
 * @param {import("node:child_process").SpawnOptions} [options]
 */
export function start(file, args, options = {}) {
  const child = spawn(file, args, { cwd: root, stdio: "inherit", detached: !windows, ...options });
  running.add(child);
  const forget = () => running.delete(child);
  child.once("exit", forget);
  child.once("error", forget);
  return child;
}

/** Runs a program to its end and gives its exit code; 127 where it can't be started. */
export function run(file, args, options) {
  return new Promise((resolve) => {
    const child = start(file, args, options);
    child.once("error", (error) => {
      console.error(`${file} can't be started: ${error.message}`);
      resolve(127);
    });
    child.once("close", (code) => resolve(code ?? 1));
  });
}

/** Runs npm as it was started itself, and otherwise the one on the path. */
export function npm(args, options = {}) {
  const own = process.env.npm_execpath;
  if (own?.endsWith("js")) return run(process.execPath, [own, ...args], options);
  // npm is a batch file on Windows, which only a shell can start; the arguments are our own words.
  return windows ? run("npm.cmd", args, { ...options, shell: true }) : run("npm", args, options);
}

/** Ends a child started by `start`, with all that it started. */
export function endTree(child, signal = "SIGTERM") {
  if (child.pid === undefined) return;
  if (windows) {
    if (child.exitCode === null) spawn("taskkill", ["/pid", String(child.pid), "/T", "/F"], { stdio: "ignore" });
    return;
  }
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

/** Ends everything that still runs. */
export function endAll(signal) {
  for (const child of running) endTree(child, signal);
}

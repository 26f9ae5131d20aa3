import { statSync } from "node:fs";
import { join } from "node:path";
import { npm, root } from "./run.mjs";

/** Installs what package-lock.json names, where that has not been done since the lock changed. Gives an exit code. */
export async function install() {
  const lock = changed("package-lock.json");
  // npm writes this file at the end of every install.
  const installed = changed("node_modules/.package-lock.json");
  if (installed >= lock) return 0;
  console.log(installed === 0 ? "Installing dependencies" : "Dependencies have changed: installing them again");
  return npm(["ci", "--no-audit", "--no-fund"]);
}

function changed(path) {
  return statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const exec = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));

/** TypeScript's word on a project; fails with what it says. */
async function tsc(project: string): Promise<void> {
  try {
    await exec(process.execPath, ["node_modules/typescript/bin/tsc", "-p", project], { cwd: root });
  } catch (error) {
    // oxlint-disable-next-line preserve-caught-error
    throw new Error((error as { stdout?: string }).stdout ?? String(error));
  }
}

describe("the types of topics", function () {
  this.timeout(60_000);

  it("type subscribe, publish, callbacks, hooks and watches, and refuse what is not theirs", () => tsc("test/types"));
});

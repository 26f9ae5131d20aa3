import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { snippets } from "../support/components.js";

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

  it("are right in the manual's snippets", async () => {
    const folder = `${root}test/.artifacts/components`;
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    for (const [name, code] of snippets()) if (/\.tsx?$/.test(name)) await writeFile(`${folder}/${name}`, code);
    const settings = { extends: "../../types/tsconfig.json", compilerOptions: { rootDir: "../../..", jsx: "react-jsx" }, include: ["*"] };
    await writeFile(`${folder}/tsconfig.json`, JSON.stringify(settings));
    await tsc(folder);
  });
});

import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { arrows, manifest, root } from "./tree.js";

const exec = promisify(execFile);

/** Runs a command line tool of our own node_modules and gives what it printed; fails with that where it fails. */
async function tool(name: string, args: readonly string[]): Promise<string> {
  const { bin } = JSON.parse(await readFile(join(root, "node_modules", name, "package.json"), "utf8")) as { bin: Record<string, string> };
  const file = join(root, "node_modules", name, Object.values(bin)[0] as string);
  return output(process.execPath, [file, ...args]);
}

async function output(file: string, args: readonly string[], cwd = root): Promise<string> {
  try {
    const { stdout, stderr } = await exec(file, args, { cwd, shell: file.endsWith(".cmd"), maxBuffer: 1 << 26 });
    return stdout + stderr;
  } catch (error) {
    const { stdout = "", stderr = "", message } = error as Error & { stdout?: string; stderr?: string };
    // What the tool printed says it all; its exit code and our call would only be in the way.
    // oxlint-disable-next-line preserve-caught-error
    throw new Error(`${stdout}${stderr}`.trim() || message);
  }
}

function npm(args: readonly string[]): Promise<string> {
  const own = process.env.npm_execpath;
  if (own?.endsWith("js")) return output(process.execPath, [own, ...args]);
  return output(process.platform === "win32" ? "npm.cmd" : "npm", args);
}

describe("the packages", function () {
  this.timeout(90_000);
  let folder: string;
  const packed = new Map<string, string>();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "bellwire-packages-"));
    await npm(["pack", "--pack-destination", folder, ...Object.keys(arrows).flatMap((name) => ["-w", name])]);
    for (const file of await readdir(folder)) packed.set(file.replace(/^bellwire-(.*)-\d.*$/, "$1"), join(folder, file));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  for (const name of Object.keys(arrows)) {
    it(`${name} is packed as publint wants it`, async () => {
      await tool("publint", ["run", packed.get(name) as string, "--level", "warning", "--strict"]);
    });

    it(`${name} has types that resolve`, async () => {
      // The bundles are scripts for pages, served as files: nobody imports them.
      const scripts = name === "client" ? ["--exclude-entrypoints", "./bundle/client.js", "./bundle/element.js"] : [];
      // What require() reads as types says CommonJS, which is no lie worth its name: every Node that we run on requires ESM.
      const required = ["--ignore-rules", "false-cjs"];
      await tool("@arethetypeswrong/cli", [packed.get(name) as string, "--profile", "esm-only", "--no-emoji", ...required, ...scripts]);
    });

    it(`${name} can be required and imported, as built`, async () => {
      const id = manifest(name).name;
      const script = `const a = require(${JSON.stringify(id)}); import(${JSON.stringify(id)}).then((b) => { if (Object.keys(a).length === 0 || Object.keys(a).length !== Object.keys(b).length) throw new Error("nothing exported"); });`;
      // From the test package, which depends on all of them.
      await output(process.execPath, ["-e", script], join(root, "test"));
    });
  }

  it("the protocol brings its vectors along", async () => {
    const file = await output(process.execPath, ["-p", 'require.resolve("@bellwire/protocol/vectors/filters.json")'], join(root, "test"));
    expect(dirname(file.trim())).to.equal(join(root, "protocol", "vectors"));
  });
});

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { arrows, root } from "./tree.js";

const exec = promisify(execFile);

async function output(file: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    const { stdout } = await exec(file, args, { cwd, maxBuffer: 1 << 26 });
    return stdout;
  } catch (error) {
    const { stdout = "", stderr = "", message } = error as Error & { stdout?: string; stderr?: string };
    // What the tool printed says it all.
    // oxlint-disable-next-line preserve-caught-error
    throw new Error(`${stdout}${stderr}`.trim() || message);
  }
}

function npm(args: readonly string[], cwd: string): Promise<string> {
  const own = process.env.npm_execpath;
  return own?.endsWith("js") === true ? output(process.execPath, [own, ...args], cwd) : output("npm", args, cwd);
}

const USES = {
  client:
    'import { createClient, type Subscription } from "@bellwire/client";\nexport const made: typeof createClient = createClient;\nexport type { Subscription };\n',
  protocol:
    'import { parseFilter, type Hello } from "@bellwire/protocol";\nexport const made: typeof parseFilter = parseFilter;\nexport type { Hello };\n',
  emitter:
    'import { createEmitter, createTokenEndpoint } from "@bellwire/emitter";\nexport const made = [createEmitter, createTokenEndpoint];\n',
  server:
    'import { createRelay } from "@bellwire/server";\nimport { createTestRelay } from "@bellwire/server/testing";\nexport const made = [createRelay, createTestRelay];\n',
};

/** What a page has, and what a program on Node has. */
const PAGE = { lib: ["ES2022", "DOM"], types: [] };
const NODE = { lib: ["ES2022", "DOM"], types: ["node"] };

const RESOLUTIONS = [
  { name: "a bundler", file: "ts", module: "esnext", moduleResolution: "bundler" },
  { name: "nodenext", file: "mts", module: "nodenext", moduleResolution: "nodenext" },
  { name: "require() under node16", file: "cts", module: "node16", moduleResolution: "node16" },
];

describe("the packages, installed from their tarballs into an empty project", function () {
  this.timeout(180_000);
  let folder: string;
  let app: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "bellwire-installed-"));
    app = join(folder, "app");
    await mkdir(app);
    await npm(["pack", "--silent", "--pack-destination", folder, ...Object.keys(arrows).flatMap((name) => ["-w", name])], root);
    const tarballs = (await readdir(folder)).filter((file) => file.endsWith(".tgz")).map((file) => join(folder, file));
    await writeFile(join(app, "package.json"), JSON.stringify({ name: "app", version: "1.0.0", private: true }));
    await npm(["install", "--engine-strict", "--no-audit", "--no-fund", "--prefer-offline", ...tarballs], app);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("take nothing that needs a newer Node than they do", async () => {
    const lock = JSON.parse(await readFile(join(app, "package-lock.json"), "utf8")) as {
      packages: Record<string, { engines?: { node?: string } }>;
    };
    const newer = Object.entries(lock.packages).filter(([, { engines }]) => /^>=\s*2[1-9]/.test(engines?.node ?? ""));
    expect(newer.map(([name]) => name)).to.deep.equal([]);
  });

  for (const name of Object.keys(arrows) as (keyof typeof USES)[]) {
    it(`${name} brings its licence and a page about itself`, async () => {
      const files = await readdir(join(app, "node_modules", "@bellwire", name));
      expect(files).to.include.members(["LICENSE", "README.md"]);
      const licence = await readFile(join(app, "node_modules", "@bellwire", name, "LICENSE"), "utf8");
      expect(licence).to.equal(await readFile(join(root, "LICENSE"), "utf8"));
    });

    for (const { name: resolution, file, ...how } of RESOLUTIONS) {
      it(`${name} compiles by ${resolution}, with library checks on`, async () => {
        const page = name === "client" || name === "protocol";
        const main = `${name}.${file}`;
        await writeFile(join(app, main), USES[name]);
        const compilerOptions = { ...(page ? PAGE : NODE), ...how, target: "es2022", strict: true, skipLibCheck: false, noEmit: true };
        const config = join(app, `tsconfig.${main}.json`);
        await writeFile(config, JSON.stringify({ compilerOptions, files: [main] }));
        await output(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", config], app);
      });
    }
  }

  it("the command shows its help", async () => {
    const help = await npm(["exec", "--offline", "--", "bellwire", "--help"], app);
    expect(help).to.contain("Usage: bellwire").and.to.contain("doctor");
  });
});

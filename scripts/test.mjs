// `npm test`: everything that CI checks, from a fresh clone. `npm test -- <glob>` runs the tests of that glob alone.
import "./node-version.mjs";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { install } from "./install.mjs";
import { endAll, endTree, npm, root, start } from "./run.mjs";
import { installSystemTools } from "./system-tools.mjs";

/** The whole run ends before anybody's patience of 15 minutes does. */
const DEADLINE = Date.now() + 14.5 * 60_000;

/** What runs at the same time: most tests wait more than they compute. Paths as seen from test/. */
const SECOND = ["backends", "browser", "cli", "client", "deploy", "emitter", "house", "protocol"].map((folder) => `${folder}/**/*.test.ts`);
/** Afterwards and alone: rounds of faults keep a machine busy, and judge how long everything took. */
const ALONE = ["faults/**/*.test.ts"];
const RUNS = ["first", "second", "alone"];

const globs = process.argv.slice(2);
const everything = globs.length === 0;
const counts = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const scratch = mkdtempSync(join(tmpdir(), "bellwire-test-"));

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    endAll("SIGTERM");
    process.exit(130);
  });
}
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
setTimeout(() => {
  endAll("SIGKILL");
  failures.push("The run took more than 14 minutes and was ended");
  addCounts();
  close();
}, DEADLINE - Date.now()).unref();

if ((await install()) !== 0) stop("npm ci failed");
if (!(await check("build", ["run", "--silent", "build"]))) stop("Nothing else can run without a build");
if (everything) {
  await Promise.all([installSystemTools(), staticChecks()]);
  await Promise.all([mocha("first", ["**/*.test.ts"], { ignore: ["node_modules/**", ...SECOND, ...ALONE] }), mocha("second", SECOND)]);
  await mocha("alone", ALONE);
} else await mocha("first", globs);
addCounts();
close();

async function staticChecks() {
  await check("lint", ["run", "--silent", "lint"]);
  await check("format:check", ["run", "--silent", "format:check"]);
  await check("typecheck", ["run", "--silent", "typecheck"]);
}

/** One of the package's own scripts, counted as one test. */
async function check(name, args) {
  const begin = Date.now();
  const good = (await npm(args)) === 0;
  console.log(`${good ? "ok  " : "FAIL"} ${name} (${((Date.now() - begin) / 1000).toFixed(1)} s)`);
  counts[good ? "passed" : "failed"]++;
  if (!good) failures.push(`npm run ${name}`);
  return good;
}

/** @param run one of `RUNS` */
function mocha(run, files, { ignore = [] } = {}) {
  // In no process of its own beside node: mocha would start node a second time to pass these flags.
  const node = ["--import=tsx", "--conditions=source", join(root, "node_modules/mocha/lib/cli/cli.js"), "--no-node-option"];
  const reporter = ["--reporter", "house/reporter.mjs", "--reporter-option", `counts=${countsFile(run)}`];
  const ignored = ignore.flatMap((glob) => ["--ignore", glob]);
  const child = start(process.execPath, [...node, ...reporter, ...ignored, ...files], { cwd: join(root, "test") });
  return new Promise((resolve) => {
    child.once("close", (code, signal) => {
      // Some test may have left a process behind.
      endTree(child, "SIGKILL");
      if (code !== 0) failures.push(signal === null ? "mocha" : `mocha, ended by ${signal}`);
      resolve();
    });
  });
}

function countsFile(run) {
  return join(scratch, `${run}.json`);
}

function addCounts() {
  for (const run of RUNS) {
    try {
      const mocha = JSON.parse(readFileSync(countsFile(run), "utf8"));
      for (const key of Object.keys(counts)) counts[key] += mocha[key];
    } catch {
      // Not started, or ended before its first test: `failures` says why.
    }
  }
}

function stop(reason) {
  console.error(reason);
  failures.push(reason);
  close();
}

function close() {
  const { passed, skipped } = counts;
  if (process.env.CI === "true" && skipped > 0) failures.push("In CI nothing may be skipped");
  const failed = Math.max(counts.failed, failures.length > 0 ? 1 : 0);
  for (const one of new Set(failures)) console.error(`Failed: ${one}`);
  if (passed + failed === 0) console.error("No tests were run: does the glob name any, seen from test/?");
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  process.exit(failed === 0 && passed > 0 ? 0 : 1);
}

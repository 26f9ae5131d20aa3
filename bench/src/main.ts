import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Bench } from "./bench.js";
import { allPeers } from "./peers/all.js";
import type { Peer } from "./peers/peer.js";
import { ResultStore } from "./results/store.js";
import { surroundings } from "./results/surroundings.js";
import { allScenarios } from "./scenarios/all.js";

const USAGE = `npm run bench [-- scenario ... --rounds N --quick --peers a,b --prof-dir folder]

Scenarios: ${allScenarios.map(({ name }) => name).join(", ")}; none named: all of them
  --rounds N         rounds, each with every peer once; default 3, and 1 with --quick
  --quick            a short run that shows whether everything works, written to a folder of its own
  --peers a,b        only these of ${allPeers.map(({ name }) => name).join(", ")}
  --prof-dir folder  writes CPU profiles of the servers, which slows them: not for results`;

/** The folder that holds this package: the results belong beside its sources. */
const home = fileURLToPath(new URL("..", import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string" },
    quick: { type: "boolean", default: false },
    peers: { type: "string" },
    "prof-dir": { type: "string" },
    help: { type: "boolean", default: false },
  },
});
const unknown = positionals.filter((name) => !allScenarios.some((scenario) => scenario.name === name));
if (values.help || unknown.length > 0) {
  console.log(unknown.length > 0 ? `There is no scenario ${unknown.join(", ")}.\n\n${USAGE}` : USAGE);
  process.exit(unknown.length > 0 ? 2 : 0);
}
process.exit(await main());

async function main(): Promise<number> {
  const { peers, absent } = await findPeers(values.peers?.split(","));
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  const profiles = values["prof-dir"] === undefined ? undefined : resolve(values["prof-dir"]);
  if (profiles !== undefined) mkdirSync(profiles, { recursive: true });
  // What is no full run must not pass for one.
  const partial = values.quick || profiles !== undefined || values.peers !== undefined;
  const store = new ResultStore(partial ? mkdtempSync(join(tmpdir(), "bellwire-bench-")) : home);
  const bench = new Bench({ quick: values.quick, rounds, peers, profiles });
  const failed: string[] = [];
  let path = "";
  for (const { name, run } of allScenarios) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    console.log(name);
    try {
      const outcome = await run(bench);
      for (const { text, value, met } of outcome.targets)
        console.log(`  ${met === undefined ? "-" : met ? "met" : "MISSED"}: ${text}: ${value}`);
      store.save({ name, surroundings: surroundings(rounds), absent, outcome });
      path = store.write(
        allScenarios.map((scenario) => scenario.name),
        peers.map(({ title, settings }) => `${title}: ${settings}`),
      );
    } catch (error) {
      console.error(`  ${name} failed:`, error);
      failed.push(name);
    }
  }
  if (path !== "") console.log(`Written: ${path}`);
  if (failed.length > 0) console.error(`Failed: ${failed.join(", ")}`);
  return failed.length > 0 ? 1 : 0;
}

/** The peers that can be had here, and why the others can't. */
async function findPeers(wanted: readonly string[] | undefined): Promise<{ peers: Peer[]; absent: string[] }> {
  const peers: Peer[] = [];
  const absent: string[] = [];
  for (const peer of allPeers) {
    if (wanted !== undefined && !wanted.includes(peer.name)) continue;
    const reason = await peer.unavailable();
    if (reason === undefined) peers.push(peer);
    else absent.push(`${peer.title}, because ${reason}`);
  }
  for (const line of absent) console.log(`Left out: ${line}`);
  return { peers, absent };
}

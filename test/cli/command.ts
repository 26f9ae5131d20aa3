import { expect } from "chai";
import type { TestRelay } from "@bellwire/server/testing";
import { Bellwire, type Outcome } from "../server/bellwire.js";
import { eventually, type Stage } from "../server/stage.js";

/** What commands have to know of a relay: what a backend's environment would hold. */
export function settingsOf(relay: TestRelay): NodeJS.ProcessEnv {
  return { APP_KEY: relay.appKey, REALTIME_API_KEY: relay.apiKey, REALTIME_PUBLIC_URL: relay.url };
}

/** Starts the command as a process that does not outlive the test. */
export function start(stage: Stage, args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd?: string): Bellwire {
  const bellwire = new Bellwire(args, env, cwd);
  stage.closeLater(() => bellwire.stop("SIGKILL"));
  return bellwire;
}

/** Runs the command to its end. */
export function run(stage: Stage, args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd?: string): Promise<Outcome> {
  return start(stage, args, env, cwd).outcome();
}

/** Runs a command that must succeed, and gives what it printed. */
export async function results(stage: Stage, args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd?: string): Promise<string> {
  const { status, stdout, stderr } = await run(stage, args, env, cwd);
  expect(status, stderr).to.equal(0);
  return stdout;
}

/** It ended with one line on standard error and nothing else. */
export function expectOneLine({ status, stdout, stderr }: Outcome, expected: number, says: RegExp | string): void {
  expect(stderr, `${stdout}${stderr}`).to.match(/^bellwire: [^\n]+\n$/);
  if (typeof says === "string") expect(stderr).to.include(says);
  else expect(stderr).to.match(says);
  expect([status, stdout]).to.deep.equal([expected, ""]);
}

/** Each line of standard output, which is JSON. */
export function jsonLines(stdout: string): Record<string, unknown>[] {
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Waits for words on standard error. */
export function said(bellwire: Bellwire, words: string): Promise<void> {
  return eventually(() => bellwire.stderr.includes(words), `"${words}" on standard error`, 20_000);
}

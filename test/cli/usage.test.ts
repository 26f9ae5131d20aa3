import { readFileSync } from "node:fs";
import { expect } from "chai";
import { createProgram } from "../../server/src/cli/program.js";
import { stablePort } from "../support/stable-port.js";
import { Stage } from "../server/stage.js";
import { expectOneLine, run } from "./command.js";

const KEY = "k".repeat(32);
/** Each with what the line has to say. */
const wrong: readonly (readonly [args: string, says: string, env?: NodeJS.ProcessEnv])[] = [
  ["serv", "unknown command 'serv'"],
  ["publish", "missing required argument 'site'"],
  ["publish 5 news {} more", "too many arguments"],
  ["publish 5 a/b", "A topic is 1 to 128 characters"],
  ["publish 5 $user", "belong to the server"],
  ["publish 5 news {id:5}", "The data must be JSON"],
  [`publish 5 news {"a":"${"x".repeat(5000)}"}`, "at most 4096 are allowed", { REALTIME_API_KEY: KEY }],
  ["publish 5 news --via pigeon", "--via must be redis or http"],
  ["publish 5 news", "REALTIME_API_KEY"],
  ["publish 5 news", "REDIS_PORT", { REDIS_HOST: "127.0.0.1", REDIS_PORT: "many" }],
  ["subscribe 5 news --count none", "--count must be a whole number", { APP_KEY: KEY }],
  ["subscribe 5 news", "APP_KEY is not set"],
  ["subscribe 5 news", "APP_KEY: The key has 5 bytes", { APP_KEY: "short" }],
  ["token", "which command?"],
  ["token connect", "required option '--site <site>'", { APP_KEY: KEY }],
  ["token subscribe --site 5", "name it with --topic", { APP_KEY: KEY }],
  ["stats", "REALTIME_API_KEY is not set"],
  ["doctor --site a/b", "A site is 1 to 64 characters"],
  ["doctor --endpoint example.com", "--endpoint is a URL"],
  ["doctor --endpoint http://x --header nonsense", '--header is "name: value"'],
  ["doctor --topic news", "give its URL too"],
  ["new", "which command?"],
  ["new hook connect", "required option '--lang <language>'"],
  ["new hook connect --lang cobol", "there are php, ruby, python, go, node"],
  ["new hook close --lang php", "there are connect, refresh, subscribe, publish, rpc, notices"],
];

describe("the command bellwire, called wrongly", function () {
  // Each run is a process that takes half a second to start.
  this.timeout(90_000);
  const stage = Stage.forEachTest();

  it("ends with one clear line on standard error and status 2", async () => {
    // A few at a time: a machine may have two cores.
    const queue = [...wrong];
    const worker = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const [args, says, env] = next;
        const outcome = await run(stage, args.split(" "), env);
        expectOneLine(outcome, 2, says);
      }
    };
    await Promise.all([worker(), worker(), worker()]);
  });

  it("ends with one line and status 1 where nobody answers", async () => {
    const nobody = `127.0.0.1:${await stablePort()}`;
    const env = { APP_KEY: KEY, REALTIME_API_KEY: KEY, REALTIME_PUBLIC_URL: `ws://${nobody}` };
    for (const args of [["publish", "5", "news"], ["subscribe", "5", "news"], ["stats"]]) {
      expectOneLine(await run(stage, args, env), 1, nobody);
    }
    const redis = { REDIS_URL: `redis://:hunter2@${nobody}` };
    const outcome = await run(stage, ["publish", "5", "news"], redis);
    expectOneLine(outcome, 1, /unavailable: .*ECONNREFUSED/);
    expect(outcome.stderr).not.to.include("hunter2");
  });

  it("explains itself on standard output", async () => {
    const { status, stdout, stderr } = await run(stage, ["--help"]);
    expect([status, stderr]).to.deep.equal([0, ""]);
    expect(await run(stage, []), "without any word too").to.deep.equal({ status: 0, stdout, stderr: "" });
    for (const name of ["serve", "init", "publish", "subscribe", "token", "stats", "doctor", "new"]) {
      expect(stdout).to.match(new RegExp(`^ {2}${name}\\b`, "m"));
    }
    const version = await run(stage, ["--version"]);
    const manifest = readFileSync(new URL("../../server/package.json", import.meta.url), "utf8");
    expect(version.stdout).to.equal(`${(JSON.parse(manifest) as { version: string }).version}\n`);
  });
});

describe("the manual's page of the command", () => {
  it("tells of each command and option", () => {
    const page = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");
    const tell = (command: ReturnType<typeof createProgram>, path: string): void => {
      if (command.commands.length === 0) expect(page).to.include(`bellwire${path}`);
      for (const { long } of command.options) if (long !== "--version") expect(page, `${path} ${long}`).to.include(`\`${long}`);
      for (const one of command.commands) tell(one, `${path} ${one.name()}`);
    };
    tell(createProgram(), "");
  });
});

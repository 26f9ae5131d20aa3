import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { parseKey } from "@bellwire/emitter";
import { Stage } from "../server/stage.js";
import { expectOneLine, results, run } from "./command.js";

describe("the command bellwire init", function () {
  this.timeout(60_000);
  const stage = Stage.forEachTest();

  async function folder(): Promise<string> {
    return dirname(await stage.file(".gitignore", "node_modules\n"));
  }

  function valueOf(text: string, name: string): string {
    return new RegExp(`^${name}=(\\S+)$`, "m").exec(text)?.[1] as string;
  }

  it("writes random keys that nobody else may read, and says what next", async () => {
    const [one, two] = [await folder(), await folder()];
    const said = await results(stage, ["init"], {}, one);
    await results(stage, ["init"], {}, two);
    const texts = await Promise.all([one, two].map((path) => readFile(join(path, ".env"), "utf8")));
    for (const name of ["APP_KEY", "REALTIME_API_KEY"]) {
      const values = texts.map((text) => valueOf(text, name));
      expect(values[0]).not.to.equal(values[1]);
    }
    const [text] = texts as [string];
    expect(parseKey(valueOf(text, "APP_KEY")).sign).to.have.length(32);
    expect(valueOf(text, "REALTIME_API_KEY")).to.have.length.at.least(16);
    if (process.platform !== "win32") expect((await stat(join(one, ".env"))).mode & 0o777).to.equal(0o600);
    expect(said).to.include(join(one, ".env"));
    expect(said).to.include("Add .env to .gitignore");
    expect(said).to.include("bellwire serve");
    expect(said).not.to.include(valueOf(text, "REALTIME_API_KEY"));
  });

  it("leaves a file that is there as it is, and replaces it with --force, keeping a copy", async () => {
    const path = await folder();
    const env = join(path, ".env");
    await writeFile(env, "APP_KEY=mine\n");
    expectOneLine(await run(stage, ["init"], {}, path), 2, "is there already");
    expect(await readFile(env, "utf8")).to.equal("APP_KEY=mine\n");
    await chmod(env, 0o644);
    await results(stage, ["init", "--force"], {}, path);
    if (process.platform !== "win32") {
      for (const name of [".env", ".env.backup"]) expect((await stat(join(path, name))).mode & 0o777, name).to.equal(0o600);
    }
    const second = await readFile(env, "utf8");
    expect(second).to.include("APP_KEY=base64:");
    await results(stage, ["init", "--force"], {}, path);
    expect(await readFile(join(path, ".env.backup"), "utf8")).to.equal("APP_KEY=mine\n");
    expect(await readFile(join(path, ".env.backup.2"), "utf8")).to.equal(second);
  });

  it("writes what the other commands read", async () => {
    const path = await folder();
    await writeFile(join(path, ".gitignore"), ".env*\n");
    expect(await results(stage, ["init"], {}, path)).not.to.include("gitignore");
    const token = await results(stage, ["token", "connect", "--site", "5"], {}, path);
    expect(token.trim().split(".")).to.have.length(3);
  });
});

import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { read, root } from "../house/tree.js";
import { checker, run } from "./checkers.js";
import { accepted, envFile, secrets } from "./settings.js";

const UNIT = "deploy/systemd/bellwire.service";
/** As `systemd-analyze security` counts: 0 is nothing to attack, 100 all. A service with no settings has 96. */
const MOST_EXPOSED = 15;

describe("the systemd unit", () => {
  const unit = read(UNIT);
  const value = (key: string): string | undefined => new RegExp(`^${key}=(.*)$`, "m").exec(unit)?.[1];

  it("starts what a checkout has", () => {
    const [node, file, command] = (value("ExecStart") ?? "").split(" ");
    expect([node, command]).to.deep.equal(["/usr/bin/node", "serve"]);
    expect(file).to.match(/^\/opt\/bellwire\//);
    expect(existsSync((file as string).replace("/opt/bellwire", root)), file).to.equal(true);
  });

  it("starts it again unless a setting is wrong, and leaves it the time to drain", () => {
    expect(["Restart", "RestartSec", "RestartPreventExitStatus", "StartLimitIntervalSec"].map(value)).to.deep.equal([
      "always",
      "2",
      "2",
      "0",
    ]);
    expect(["KillSignal", "TimeoutStopSec", "LimitNOFILE"].map(value)).to.deep.equal(["SIGTERM", "90", "1048576"]);
  });

  it("leaves V8 its just-in-time compiler", () => {
    expect(value("MemoryDenyWriteExecute")).to.equal("no");
  });

  it("comes with settings that a relay takes in production, once the keys are filled in", () => {
    const env = envFile("deploy/systemd/bellwire.env.example");
    expect(env).to.include({ APP_KEY: "", REALTIME_API_KEY: "" });
    const config = accepted({ ...env, ...secrets, NODE_ENV: "production" });
    expect(config.warnings).to.deep.equal([]);
    expect(config.internalPort).to.be.a("number");
    expect(value("EnvironmentFile")).to.equal("/etc/bellwire/bellwire.env");
  });

  const analyze = checker("systemd-analyze");
  if (analyze === undefined) return;

  describe("by systemd-analyze", () => {
    let dir: string;
    let file: string;

    before(async () => {
      dir = await mkdtemp(join(tmpdir(), "bellwire-systemd-"));
      file = join(dir, "bellwire.service");
      // It looks whether the program is there.
      await writeFile(file, unit.replace("/usr/bin/node", process.execPath).replaceAll("/opt/bellwire", root));
    });

    after(() => rm(dir, { recursive: true, force: true }));

    it("is correct", async () => {
      const { status, said } = await run(analyze, ["verify", file]);
      // It names other units of the machine, too.
      expect(
        said.split("\n").filter((line) => line.includes("bellwire")),
        said,
      ).to.deep.equal([]);
      expect(status, said).to.equal(0);
    });

    it(`is exposed by ${MOST_EXPOSED / 10} of 10 at most`, async function () {
      const { status, said } = await run(analyze, ["security", "--offline=true", `--threshold=${MOST_EXPOSED}`, "--no-pager", file]);
      // An older systemd than 250 has no --offline and can analyze no file.
      if (/unrecognized option|Unknown/.test(said)) return this.skip();
      expect(status, said).to.equal(0);
    });
  });
});

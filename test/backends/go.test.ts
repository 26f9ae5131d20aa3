import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { folder } from "./backend.js";
import { backendContract } from "./contract.js";
import { world } from "./world.js";

const run = promisify(execFile);

describe("a backend in Go", function () {
  this.timeout(30_000);
  let built = "";
  let env: NodeJS.ProcessEnv = {};
  const go = world({
    tool: "go",
    prepare: async (program) => {
      built = await mkdtemp(join(tmpdir(), "bellwire-go-"));
      // Nothing may be fetched: the standard library is enough, and so is the Go that is there.
      env = { ...process.env, GOPROXY: "off", GOTOOLCHAIN: "local", GOFLAGS: "", CGO_ENABLED: "0" };
      const file = join(built, "backend");
      await run(program, ["build", "-o", file, "."], { cwd: join(folder, "go"), env });
      return () => [file];
    },
  });
  after(() => (built === "" ? undefined : rm(built, { recursive: true, force: true })));
  backendContract(go);

  it("passes its own tests", async function () {
    this.timeout(180_000);
    await run(go.program, ["test", "."], { cwd: join(folder, "go"), env });
  });
});

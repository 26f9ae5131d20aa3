import { join } from "node:path";
import { folder } from "./backend.js";
import { backendContract } from "./contract.js";
import { world } from "./world.js";

describe("a backend in Python", function () {
  this.timeout(30_000);
  const python = world({
    tool: "python3",
    // -B: no compiled files beside the sources.
    prepare: (program) => () => [program, "-B", join(folder, "python/backend.py")],
  });
  backendContract(python);
});

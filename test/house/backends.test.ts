import { expect } from "chai";
import { filesOf, importsOf, read, target } from "./tree.js";

const inFolder = (file: string, ...folders: readonly string[]): boolean =>
  folders.some((folder) => file.startsWith(`server/src/${folder}`));

/** Who may know that there is a Redis: what keeps things there, and who looks whether it is sound. */
const knows = (file: string): boolean => inFolder(file, "redis/", "stores/redis/", "cli/doctor/");

describe("which backend keeps what outlives a connection", () => {
  const files = filesOf("server/src", /\.ts$/);

  it("is known where the stores are made, and nowhere else", () => {
    for (const file of files) {
      for (const backend of ["stores/redis/", "stores/memory/"]) {
        const imported = importsOf(file).some((specifier) => specifier.startsWith(".") && inFolder(target(file, specifier), backend));
        const may = inFolder(file, backend) || file === "server/src/stores/create-stores.ts";
        expect(imported && !may, `${file} imports ${backend}`).to.equal(false);
      }
    }
  });

  it("matters to nobody who does not speak to it: no import of what speaks to Redis", () => {
    for (const file of files.filter((one) => !knows(one))) {
      for (const specifier of importsOf(file)) {
        expect(specifier, file).not.to.match(/^ioredis$|^@socket\.io\/redis-/);
        if (specifier.startsWith(".")) expect(inFolder(target(file, specifier), "redis/"), `${file} imports ${specifier}`).to.equal(false);
      }
    }
  });

  it("is asked of no store", () => {
    for (const file of files.filter((one) => !knows(one))) {
      expect(read(file), file).not.to.match(/instanceof (Redis|Memory)|kind\s*[!=]==?\s*["'](redis|memory)["']/);
    }
  });
});

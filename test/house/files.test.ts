import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { filesOf, importsOf, read, root, target } from "./tree.js";

const code = /\.(ts|tsx|mts|mjs|js|lua)$/;
const LONGEST = 400;

describe("the files of the house", () => {
  const files = filesOf(".", code);

  it("are found", () => {
    expect(files).to.include.members(["protocol/src/filter.ts", "scripts/test.mjs", "test/house/files.test.ts"]);
  });

  it(`have at most ${LONGEST} lines`, () => {
    const long = files
      .map((file) => `${file}: ${read(file).split("\n").length - 1}`)
      .filter((line) => Number(line.split(": ")[1]) > LONGEST);
    expect(long).to.deep.equal([]);
  });

  it("have names that say what is in them", () => {
    const vague = /^(utils?|helpers?|misc|common|shared|lib|stuff)$/;
    const named = files.filter((file) => file.split("/").some((part) => vague.test(part.replace(/\..*$/, ""))));
    expect(named).to.deep.equal([]);
  });

  it("import files that exist, by the name that they have when built", () => {
    for (const file of files.filter((name) => /\.tsx?$/.test(name))) {
      for (const specifier of importsOf(file)) {
        if (!specifier.startsWith(".")) continue;
        expect(specifier, file).to.match(/\.(m?js|json)$/);
        const path = target(file, specifier);
        expect(
          [path, `${path}x`].some((one) => existsSync(join(root, one))),
          `${file} imports ${specifier}`,
        ).to.equal(true);
      }
    }
  });

  it("leave no test switched on alone or off", () => {
    for (const file of files.filter((name) => /^test\/.*\.test\.tsx?$/.test(name))) {
      expect(read(file), file).not.to.match(/\b(describe|it|context)\.(only|skip)\(/);
    }
  });
});

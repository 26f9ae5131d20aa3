import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const root = fileURLToPath(new URL("../../", import.meta.url));

describe("the built client", () => {
  it('says "use client" first in its React binding, so that a layout of a React server may import it', () => {
    for (const file of ["client/dist/bindings/react.js", "client/src/bindings/react.ts"]) {
      expect(readFileSync(root + file, "utf8"), file).to.match(/^["']use client["'];/);
    }
  });

  it("starts where there is no crypto, as in React Native", () => {
    const page = `
      Object.defineProperty(globalThis, "crypto", { value: undefined });
      const { createClient } = await import(${JSON.stringify(`${root}client/dist/index.js`)});
      console.log([createClient({ endpoint: "/x" }), createClient({ endpoint: "/x" })].map(({ id }) => id).join(" "));`;
    const output = execFileSync(process.execPath, ["--input-type=module", "-e", page], { encoding: "utf8", cwd: root });
    const [a, b] = output.trim().split(" ");
    expect(a).to.match(/^[0-9a-f]{24}$/);
    expect(b)
      .to.match(/^[0-9a-f]{24}$/)
      .and.not.equal(a);
  });

  it("can be imported on a server, entry by entry", () => {
    const { exports } = JSON.parse(readFileSync(`${root}client/package.json`, "utf8")) as { exports: Record<string, unknown> };
    const entries = Object.keys(exports).filter((entry) => !/bundle|json/.test(entry));
    const names = entries.map((entry) => `@bellwire/client${entry.slice(1)}`);
    const script = `Promise.all(${JSON.stringify(names)}.map((name) => import(name))).then((all) => console.log(all.filter((one) => Object.keys(one).length > 0).length))`;
    const output = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8", cwd: `${root}test` });
    expect(entries).to.include.members(["./react", "./element", "./swr"]);
    expect(output.trim()).to.equal(`${entries.length}`);
  });
});

import { existsSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import { expect } from "chai";
import { arrows, filesOf, importsOf, manifest, resolvedBy, root, target } from "./tree.js";

const sources = /\.(ts|tsx)$/;
const packages = Object.keys(arrows);
/** The name of the package that a bare specifier starts with. */
const packageOf = (specifier: string): string => specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
const isBuiltin = (specifier: string): boolean => specifier.startsWith("node:") || builtinModules.includes(specifier);

describe("the arrows between packages", () => {
  for (const name of packages) {
    const files = filesOf(`${name}/src`, sources);

    it(`${name} imports of this house only ${arrows[name]?.join(" and ") || "nothing"}`, () => {
      const allowed = (arrows[name] as string[]).map((one) => `@bellwire/${one}`);
      for (const file of files) {
        for (const specifier of importsOf(file)) {
          if (specifier.startsWith("@bellwire/")) expect(allowed, `${file} imports ${specifier}`).to.include(packageOf(specifier));
        }
      }
    });

    it(`${name} stays within its own folder`, () => {
      for (const file of files) {
        for (const specifier of importsOf(file)) {
          if (specifier.startsWith(".")) expect(target(file, specifier), file).to.match(new RegExp(`^${name}/src/`));
        }
      }
    });

    it(`${name} declares what it imports`, () => {
      const { dependencies = {}, peerDependencies = {} } = manifest(name);
      const declared = { ...dependencies, ...peerDependencies };
      for (const file of files) {
        for (const specifier of importsOf(file)) {
          if (specifier.startsWith(".") || isBuiltin(specifier)) continue;
          expect(declared, `${file} imports ${specifier}`).to.have.property(packageOf(specifier));
        }
      }
    });
  }

  it("the protocol imports nothing at all, and depends on nothing", () => {
    for (const file of filesOf("protocol/src", sources)) {
      expect(importsOf(file).filter((specifier) => !specifier.startsWith("."))).to.deep.equal([]);
    }
    expect(manifest("protocol").dependencies).to.equal(undefined);
  });

  it("the client uses nothing of Node", () => {
    for (const file of filesOf("client/src", sources)) expect(importsOf(file).filter(isBuiltin), file).to.deep.equal([]);
  });

  it("the server knows the client as a file to serve, never as code", () => {
    for (const file of filesOf("server/src", sources)) {
      expect(
        importsOf(file).filter((specifier) => specifier.startsWith("@bellwire/client")),
        file,
      ).to.deep.equal([]);
      for (const specifier of resolvedBy(file)) {
        if (specifier.startsWith("@bellwire/")) expect(specifier, file).to.equal("@bellwire/client/bundle/client.js");
      }
    }
  });

  it("manifests point the same way", () => {
    for (const name of packages) {
      const allowed = (arrows[name] as string[]).map((one) => `@bellwire/${one}`);
      if (name === "server") allowed.push("@bellwire/client");
      const own = Object.keys(manifest(name).dependencies ?? {}).filter((dependency) => dependency.startsWith("@bellwire/"));
      expect(allowed, name).to.include.members(own);
    }
  });

  it("no file imports itself through others", () => {
    const folders = [...packages.map((name) => `${name}/src`), "test", "examples", "bench"].filter((folder) =>
      existsSync(join(root, folder)),
    );
    const graph = new Map<string, string[]>();
    for (const file of folders.flatMap((folder) => filesOf(folder, sources))) {
      graph.set(
        file,
        importsOf(file)
          .filter((specifier) => specifier.startsWith("."))
          .map((specifier) => target(file, specifier)),
      );
    }
    expect(cycles(graph)).to.deep.equal([]);
  });
});

/** Each circle found on a walk through the graph, as a line to read. */
function cycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const walk = (file: string, way: readonly string[]): void => {
    const at = way.indexOf(file);
    if (at >= 0) {
      found.push([...way.slice(at), file].join(" -> "));
      return;
    }
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) walk(next, [...way, file]);
    done.add(file);
  };
  for (const file of graph.keys()) walk(file, []);
  return found;
}

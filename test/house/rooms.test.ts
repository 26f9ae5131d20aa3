import { expect } from "chai";
import { filesOf, read, runImportsOf, target } from "./tree.js";

/** The rooms of server/src, the highest first: what runs in one may import from those below it, never from those above. */
const ORDER = [
  "cli",
  "relay",
  "http",
  "sse",
  "socket",
  "presence",
  "control",
  "connection",
  "auth",
  "observe",
  "feed",
  "revocations",
  "stores",
  "notices",
  "config",
  "hooks",
  "redis",
  "wire",
  "pacing",
];

/** Files that stand in a room and know nothing of it: whoever writes frames or errors needs them. */
const OPEN_TO_ALL = /^server\/src\/(socket\/(frame|raw-json|engine-internals)|connection\/failure)\.ts$/;

const roomOf = (file: string): string | undefined => /^server\/src\/([^/]+)\//.exec(file)?.[1];

describe("the rooms of the server", () => {
  const files = filesOf("server/src", /\.ts$/);
  const rooms = [...new Set(files.map(roomOf))].filter((room) => room !== undefined).sort();

  it("each have their paragraph in docs/architecture.md", () => {
    const page = read("docs/architecture.md");
    for (const [folder, names] of [
      ["server/src", rooms],
      ["client/src", roomsOf("client/src")],
      ["emitter/src", roomsOf("emitter/src")],
    ] as const) {
      for (const name of names)
        expect(page, `write down in docs/architecture.md what ${folder}/${name} is for`).to.include(`**\`${name}/\`** `);
    }
  });

  it("hold every file but what starts the package", () => {
    const loose = files.filter((file) => roomOf(file) === undefined);
    expect(loose.sort()).to.deep.equal(["server/src/cli.ts", "server/src/index.ts"]);
  });

  it("stand in one order, which this test and the page name", () => {
    expect([...ORDER].sort(), "a new room needs a place in ORDER").to.deep.equal(rooms);
    const named = read("docs/architecture.md")
      .split("\n")
      .find((line) => line.startsWith("`cli` > "));
    expect(named).to.equal(`${ORDER.map((room) => `\`${room}\``).join(" > ")}`);
  });

  it("import, but for types, only from rooms below", () => {
    const wrong = files.flatMap((file) => {
      const from = ORDER.indexOf(roomOf(file) ?? "");
      if (from < 0) return [];
      return runImportsOf(file)
        .filter((specifier) => specifier.startsWith("."))
        .map((specifier) => target(file, specifier))
        .filter((imported) => !OPEN_TO_ALL.test(imported) && ORDER.indexOf(roomOf(imported) ?? "") < from)
        .map((imported) => `${file} imports ${imported}`);
    });
    expect(wrong).to.deep.equal([]);
  });

  it("never import what composes them, types included", () => {
    const wrong = files.flatMap((file) => {
      if (["cli", "relay", undefined].includes(roomOf(file))) return [];
      return [...read(file).matchAll(/from "(\.[^"]+)"/g)]
        .map(([, specifier]) => target(file, specifier as string))
        .filter((imported) => ["cli", "relay"].includes(roomOf(imported) ?? "") && imported !== "server/src/relay/drain.ts")
        .map((imported) => `${file} imports ${imported}`);
    });
    expect(wrong).to.deep.equal([]);
  });
});

function roomsOf(folder: string): string[] {
  const names = filesOf(folder, /\.ts$/).map((file) => file.slice(folder.length + 1).split("/"));
  return [...new Set(names.filter(({ length }) => length > 1).map(([name]) => name as string))].sort();
}

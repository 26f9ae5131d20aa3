import { expect } from "chai";
import { filesOf, importsOf, target } from "./tree.js";

/** What carries connections, and what belongs to it. */
const TRANSPORTS = /^(socket\.io|engine\.io|ws|@socket\.io)(-[a-z-]+)?(\/|$)/;
/** A folder for each kind of wire. */
const WIRES = /^server\/src\/(socket|sse)\//;
/** Who else may import one: the bus between relays, and what hands sockets to worker processes. */
const BESIDE = ["server/src/stores/redis/bus.ts", "server/src/relay/workers.ts"];
/** Who puts the wires together. */
const COMPOSITION = "server/src/relay/relay.ts";

describe("transports", () => {
  const files = filesOf("server/src", /\.ts$/);
  const others = files.filter((file) => !WIRES.test(file));

  it("are imported by the wires alone, and by name by what else has to", () => {
    const importing = others.filter((file) => importsOf(file).some((specifier) => TRANSPORTS.test(specifier)));
    expect(importing).to.have.members(BESIDE);
  });

  it("are one to a wire: Socket.IO knows nothing of events, and events nothing of Socket.IO", () => {
    for (const file of files.filter((name) => WIRES.test(name))) {
      const [, own] = WIRES.exec(file) as unknown as [string, string];
      const foreign = importsOf(file).map((specifier) => (specifier.startsWith(".") ? target(file, specifier) : ""));
      for (const name of foreign) expect(WIRES.exec(name)?.[1] ?? own, `${file} imports ${name}`).to.equal(own);
      if (own === "sse")
        expect(
          importsOf(file).filter((specifier) => TRANSPORTS.test(specifier)),
          file,
        ).to.deep.equal([]);
    }
  });

  it("are nothing that connections, feeds and all the rest know of", () => {
    const knowing = others.filter((file) =>
      importsOf(file).some((specifier) => specifier.startsWith(".") && WIRES.test(target(file, specifier))),
    );
    expect(knowing).to.deep.equal([COMPOSITION]);
  });
});

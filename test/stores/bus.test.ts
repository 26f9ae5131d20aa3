import { expect } from "chai";
import { parseCommand, type Command } from "@bellwire/emitter/commands";
import { parseFilter } from "@bellwire/protocol";
import type { RelayCounts } from "../../server/src/stores/counts.js";
import type { ControlBus } from "../../server/src/stores/bus.js";
import type { Stores } from "../../server/src/stores/stores.js";
import { eventually } from "../server/stage.js";
import { onEachBackend } from "./backends.js";

const COUNTS: RelayCounts = { connections: 1, subscriptions: 2, sites: 3, feeds: 4 };
const ANN = { user: "ann", session: "", client: "c1" };

interface Ear {
  readonly stores: Stores;
  readonly bus: ControlBus;
  readonly heard: Command[];
  watching: boolean;
}

onEachBackend("the bus of relays", ({ shared, open }) => {
  /** A relay that listens, with its log begun: what they share may depend on that. */
  async function join(): Promise<Ear> {
    const stores = open();
    const ear: Ear = { stores, bus: stores.bus, heard: [], watching: false };
    let ready = !shared;
    stores.bus.start({
      command: (command) => ear.heard.push(command),
      counts: () => COUNTS,
      watches: () => ear.watching,
      garbage: () => undefined,
      restored: () => {
        ready = true;
      },
    });
    await stores.log.start({
      message: () => undefined,
      garbage: () => undefined,
      lost: () => undefined,
      restored: () => undefined,
      renewed: () => undefined,
    });
    await eventually(() => ready && stores.log.status.up, "the bus is whole");
    return ear;
  }

  it("tells every relay of a command, the sender too, in a later turn and in order", async () => {
    const ears = shared ? [await join(), await join()] : [await join()];
    const users = ["ann", "bob", "cem", "dan"];
    const [{ bus, heard }] = ears as [Ear];
    const commands = users.map((user) => parseCommand("subscribe", "5", { user, topic: "T", filter: { id: 5 } }));
    for (const command of commands) {
      const before = heard.length;
      const sent = bus.send(command);
      expect(heard.length, "not within the call").to.equal(before);
      await sent;
    }
    for (const ear of ears) {
      await eventually(() => ear.heard.length === users.length, "all are told");
      expect(ear.heard).to.deep.equal(commands);
    }
  });

  it("has stored what outlives a connection before anybody is told, and nothing of a disconnect", async () => {
    const { stores, bus, heard } = await join();
    await bus.send(parseCommand("subscribe", "5", { user: "ann", topic: "T" }));
    expect((await stores.held.of("5", ANN)).held.map(({ topic }) => topic)).to.deep.equal(["T"]);
    await bus.send(parseCommand("revoke", "5", { user: "bob" }));
    expect((await stores.revocations.read(0, 0)).rows.map(({ text }) => text)).to.deep.equal(['{"site":"5","user":"bob"}']);
    await bus.send(parseCommand("unsubscribe", "5", { user: "ann", topic: "T" }));
    stores.held.changed("5");
    expect((await stores.held.of("5", ANN)).held).to.deep.equal([]);
    await bus.send(parseCommand("disconnect", "5", { user: "ann" }));
    await eventually(() => heard.length === 4, "all are told");
    expect((await stores.revocations.read(0, 0)).count).to.equal(1);
  });

  it("counts what is open on all relays", async () => {
    const ears = shared ? [await join(), await join()] : [await join()];
    const counts = await (ears[0] as Ear).bus.counts();
    const relays = ears.length;
    expect(counts).to.deep.equal({
      relays,
      missing: 0,
      connections: relays,
      subscriptions: 2 * relays,
      sites: 3 * relays,
      feeds: 4 * relays,
    });
  });

  it("knows whether anybody is watching, on whichever relay", async () => {
    const ears = shared ? [await join(), await join()] : [await join()];
    const question = { site: "5", topic: "T", filter: parseFilter({ id: 5 }) };
    const { bus } = ears[0] as Ear;
    expect(await bus.watched(question)).to.equal(false);
    (ears.at(-1) as Ear).watching = true;
    expect(await bus.watched(question)).to.equal(true);
  });

  it("says yes where nobody can be asked who watches", async () => {
    const { bus } = open();
    expect(await bus.watched({ site: "5", topic: "T", filter: parseFilter({}) })).to.equal(true);
  });
});

import { expect } from "chai";
import { codecNumber, type Codec } from "../../server/src/wire/wire.js";
import { FeedHarness, Listener } from "./feed-harness.js";

/** A kind of wire that counts what is made for it. */
class Counted implements Codec {
  readonly number = codecNumber();
  readonly made: string[] = [];

  messages({ messages }: Parameters<Codec["messages"]>[0]): object {
    return this.#make(`messages ${messages.map(({ offset }) => offset).join()}`);
  }

  positions(): object {
    return this.#make("positions");
  }

  resync(): object {
    return this.#make("resync");
  }

  event(_site: string, name: string): object {
    return this.#make(name);
  }

  #make(what: string): object {
    this.made.push(what);
    return { what };
  }
}

class On extends Listener {
  override readonly codec: never;
  readonly frames: object[] = [];

  constructor(codec: Codec) {
    super(`user ${Math.random()}`);
    this.codec = codec as never;
  }

  override send(frame: object): void {
    this.frames.push(frame);
  }
}

describe("wires of several kinds", () => {
  it("have a batch and a resync made once for each kind in use, and none for the others", async () => {
    const harness = await FeedHarness.live();
    const [one, two, unused] = [new Counted(), new Counted(), new Counted()];
    const listeners = [one, two, one, two, one].map((codec) => new On(codec));
    for (const listener of listeners) harness.join(listener);
    harness.publish({ id: 1 });
    harness.publish({ id: 2 });
    harness.feed.flush();
    harness.feed.resyncAgain();
    for (const codec of [one, two]) expect(codec.made).to.deep.equal(["messages 1,2", "resync"]);
    expect(unused.made).to.deep.equal([]);
    const [a, b, c] = listeners as [On, On, On];
    expect(a.frames[0], "the very same for all of a kind").to.equal(c.frames[0]);
    expect(a.frames[0]).to.not.equal(b.frames[0]);
  });

  it("have what is merged of two rooms made once for each kind, too, and what leaves somebody out for them alone", async () => {
    const harness = await FeedHarness.live();
    const [one, two] = [new Counted(), new Counted()];
    const listeners = [one, two, one].map((codec) => new On(codec));
    for (const listener of listeners) {
      harness.join(listener, { id: 1 });
      harness.join(listener, { kind: "a" });
    }
    harness.publish({ id: 1 });
    harness.publish({ kind: "a" }, { user: listeners[0]?.user ?? "" });
    harness.feed.flush();
    expect(two.made.filter((what) => what === "messages 1,2")).to.have.length(1);
    expect(one.made.filter((what) => what === "messages 1")).to.have.length(1);
    expect(listeners[0]?.frames).to.deep.equal([{ what: "messages 1" }]);
  });
});

import { expect } from "chai";
import { parseFilter } from "@bellwire/protocol";
import { Registry } from "../../client/src/subscriptions/registry.js";
import { Sender, type SenderParts } from "../../client/src/subscriptions/sender.js";
import { TopicIndex } from "../../client/src/subscriptions/topic-index.js";

describe("a lost connection", () => {
  it("ends a wire subscription whose ack it took along, where nobody hears it any more", () => {
    const registry = new Registry({ topics: new TopicIndex(), linger: 0, random: Math.random, onRetired: () => undefined });
    const sender = new Sender({ registry } as unknown as SenderParts);
    const [ended, heard] = [registry.open("Ended", parseFilter({})), registry.open("Heard", parseFilter({}))];
    heard.hearers.add({ replay: true, confirm() {}, deliver() {}, resync() {} });
    for (const wire of [ended, heard]) {
      wire.status = "sent";
      registry.settle(wire);
    }
    expect(registry.all(), "its ack is awaited").to.deep.equal([ended, heard]);
    sender.down();
    expect(registry.all()).to.deep.equal([heard]);
    expect(heard.status).to.equal("wanted");
  });
});

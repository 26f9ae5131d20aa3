import { join } from "node:path";
import { expect } from "chai";
import { folder } from "./backend.js";
import { backendContract } from "./contract.js";
import { dataOf, world } from "./world.js";

describe("a backend in Ruby", function () {
  this.timeout(30_000);
  const ruby = world({ tool: "ruby", prepare: (program) => () => [program, join(folder, "ruby/backend.rb")] });
  backendContract(ruby, ({ connect }) => {
    it("has its routes called over the socket: they see the caller's own socket", async () => {
      const client = await connect("ann");
      const call = (method: string, data: object): Promise<unknown> => client.emit("rpc", { method, data });
      const subscribed = new Promise<void>((resolve) => {
        client.socket.on("subscribed", ({ topic }: { topic: string }) => topic === "room.lobby" && resolve());
      });
      expect(await call("post:rooms/lobby/enter", {})).to.deep.equal({ data: { status: 200, body: { success: true } } });
      await subscribed;
      expect(await call("post:/say", { rooms: ["lobby"], text: "hello" })).to.have.nested.property("data.body.told", true);
      await client.until(() => client.messages("room.lobby").length === 1);
      expect(dataOf(client, "room.lobby")).to.deep.equal([{ text: "hello", by: "ann" }]);
      expect(await call("post:say", {})).to.have.nested.property("data.status", 422);
      for (const method of ["post:nowhere", "get:rooms/lobby/enter"])
        expect(await call(method, {}), method).to.have.nested.property("error.code", "not-found");
    });
  });

  it("subscribes the visitor's socket in a route, pushes to one channel or several, and unsubscribes", async () => {
    const { backend } = ruby;
    const cookie = await backend.signIn("ann");
    const [client, other] = [await ruby.connect(cookie), await ruby.connect(await backend.signIn("ben"))];
    const rooms: string[] = [];
    for (const socket of [client.socket, other.socket]) {
      socket.on("subscribed", ({ topic }: { topic: string }) => {
        if (!topic.startsWith("$")) rooms.push(topic); // personal topics come too, at their own time
      });
      socket.on("unsubscribed", ({ topic }: { topic: string }) => rooms.push(`-${topic}`));
    }
    for (const room of ["a", "b"]) {
      expect((await backend.post(`/rooms/${room}/enter`, {}, cookie)).body).to.deep.equal({ success: true });
    }
    await client.until(() => rooms.length === 2);
    const say = async (text: string, ...names: string[]): Promise<void> => {
      const { body } = await backend.post("/say", { rooms: names, text }, await backend.signIn("ben"));
      expect(body).to.deep.equal({ success: true, told: true });
    };
    await say("one", "a");
    await say("several", "a", "b", "c");
    await client.until(() => client.messages("room.b").length === 1 && client.messages("room.a").length === 2);
    expect(dataOf(client, "room.a")).to.deep.equal([
      { text: "one", by: "ben" },
      { text: "several", by: "ben" },
    ]);
    await backend.post("/rooms/a/leave", {}, cookie);
    await client.until(() => rooms.length === 3);
    expect(rooms).to.have.members(["room.a", "room.b", "-room.a"]);
    await say("last", "a", "b");
    await client.until(() => client.messages("room.b").length === 2);
    expect(client.messages("room.a")).to.have.length(2);
    expect(other.received).to.deep.equal([]);
    expect(await backend.post("/say", { rooms: ["not a room"], text: "x" }, cookie)).to.have.property("status", 422);
  });
});

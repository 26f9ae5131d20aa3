import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
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

  /** Runs Ruby with realtime.rb; what it prints is JSON. */
  async function run(code: string, env: Record<string, string> = {}): Promise<unknown> {
    const attempt = "def attempt\n  yield\nrescue StandardError => e\n  [e.class.name, e.message]\nend\n";
    const { stdout } = await promisify(execFile)(
      ruby.program,
      ["-r", join(folder, "ruby/realtime.rb"), "-e", `${attempt} puts JSON.generate((${code}))`],
      {
        env: { PATH: process.env.PATH, ...ruby.env, ...env },
      },
    );
    return JSON.parse(stdout);
  }

  it("takes integers for ids, and says of anything else what it got", async () => {
    const given = ["5, 7, 9", "5.0, 'a'", "'a', nil", "true, 'a'", ":a, 'a'", "'a b', 'a'", "'a', ''"];
    const code = given.map((ids) => `attempt { v = Realtime::Visitor.new(${ids}); [v.site, v.user, v.session] }`).join(", ");
    expect(await run(`[${code}]`)).to.deep.equal([
      ["5", "7", "9"],
      ["ArgumentError", "site is a string or an integer, not 5.0 (Float)"],
      ["ArgumentError", "user is a string or an integer, not nil (NilClass)"],
      ["ArgumentError", "site is a string or an integer, not true (TrueClass)"],
      ["ArgumentError", "site is a string or an integer, not :a (Symbol)"],
      ["ArgumentError", 'site is 1 to 64 characters of A-Z a-z 0-9 _ -, not "a b" (String)'],
      ["ArgumentError", 'user is 1 to 128 bytes, not "" (String)'],
    ]);
  });

  it("takes settings as arguments, whatever the environment says", async () => {
    const { APP_KEY: key, REALTIME_URL: url, REALTIME_API_KEY: apiKey } = ruby.env;
    const env = { APP_KEY: "", REALTIME_URL: "", REALTIME_API_KEY: "", REALTIME_ENABLED: "false" };
    const made = `Realtime.new(key: "${key}", url: "${url}", api_key: "${apiKey}", enabled: true)`;
    const code = `${made}.publish(5, [:A, "B"], { id: 5 }, except: { user: 7 }, idempotency_key: "order 7")`;
    expect(await run(code, env)).to.have.length(2);
  });

  it("raises only where it is asked to", async () => {
    const code = ["publish", "publish!"].flatMap((method) =>
      ['"a", "T", {}', '5.5, "T", {}', '"a", "T", { n: Float::NAN }'].map((given) => `attempt { Realtime.new.${method}(${given}) }`),
    );
    const result = (await run(`[${code.join(", ")}]`, { REALTIME_URL: "http://127.0.0.1:1" })) as unknown[];
    expect(result.slice(0, 3)).to.deep.equal([null, null, null]);
    const raised = result.slice(3).map((one) => (one as string[])[0]);
    expect(raised).to.deep.equal(["Realtime::RelayError", "ArgumentError", "JSON::GeneratorError"]);
  });
});

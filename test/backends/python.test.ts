import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { folder } from "./backend.js";
import { backendContract } from "./contract.js";
import { StandIn } from "./stand-in.js";
import { dataOf, subscribe, world } from "./world.js";

describe("a backend in Python", function () {
  this.timeout(30_000);
  const python = world({
    tool: "python3",
    // -B: no compiled files beside the sources.
    prepare: (program) => () => [program, "-B", join(folder, "python/backend.py")],
  });
  backendContract(python);

  /** Runs Python beside realtime.py; what it prints is JSON. */
  async function run(code: string, env: Record<string, string> = {}): Promise<unknown> {
    const prelude = "import asyncio, json\nfrom realtime import *\nfrom realtime_async import AsyncRealtime\n";
    const { stdout } = await promisify(execFile)(python.program, ["-B", "-W", "error", "-c", prelude + code], {
      cwd: join(folder, "python"),
      env: { PATH: process.env.PATH, ...python.env, ...env },
    });
    return JSON.parse(stdout);
  }

  it("takes integers for ids, and says of anything else what it got", async () => {
    const refused = await run(`
def attempt(*ids):
    try:
        return list(vars(Visitor(*ids)).values())
    except (TypeError, ValueError) as problem:
        return str(problem)
print(json.dumps([attempt(5, 7, 9), attempt(5.0, "a"), attempt("a", None), attempt(True, "a"), attempt("a b", "a"), attempt("a", ""), attempt("a", "ü" * 65)]))`);
    expect(refused).to.deep.equal([
      ["5", "7", "9"],
      "site is a string or an integer, not 5.0 (float)",
      "user is a string or an integer, not None (NoneType)",
      "site is a string or an integer, not True (bool)",
      "site is 1 to 64 characters of A-Z a-z 0-9 _ -, not 'a b'",
      "user is 1 to 128 bytes, not ''",
      `user is 1 to 128 bytes, not '${"ü".repeat(65)}'`,
    ]);
  });

  it("takes settings as arguments, whatever the environment says", async () => {
    const { APP_KEY: key, REALTIME_URL: url, REALTIME_API_KEY: apiKey } = python.env;
    const env = { APP_KEY: "", REALTIME_URL: "", REALTIME_API_KEY: "", REALTIME_ENABLED: "false" };
    const code = `
realtime = Realtime(key=${JSON.stringify(key)}, url=${JSON.stringify(url)}, api_key=${JSON.stringify(apiKey)}, enabled=True)
print(json.dumps(realtime.publish(5, ["A", "B"], {"id": 5}, except_={"user": 7}, idempotency_key="order 7")))`;
    expect(await run(code, env)).to.have.length(2);
  });

  it("raises only where it is asked to", async () => {
    const code = `
logging.disable()
realtime = Realtime(url="http://127.0.0.1:1")
def attempt(*arguments, **options):
    try:
        return realtime.publish(*arguments, **options)
    except Exception as problem:
        return type(problem).__name__
bad = {"when": {1, 2}}
print(json.dumps([attempt("a", "T", {}), attempt(5.5, "T", {}), attempt("a", "T", bad), *(attempt(*what, check=True) for what in (("a", "T", {}), (5.5, "T", {}), ("a", "T", bad)))]))`;
    expect(await run(code)).to.deep.equal([null, null, null, "RelayError", "TypeError", "TypeError"]);
  });

  describe("with asyncio", () => {
    it("publishes, commands and signs", async () => {
      const { backend } = python;
      const cookie = await backend.signIn("ann");
      const client = await python.connect(cookie);
      await subscribe(client, backend, cookie, { topic: "News_Topic" });
      const code = `
async def main():
    realtime = AsyncRealtime(topics={"News_Topic": lambda *asked: True})
    told = await realtime.publish("acme", "News_Topic", {"id": 1})
    done = await realtime.command("acme", "subscribe", user="ann", topic="Other_Topic")
    wrong = await realtime.publish("acme", "$user", {})
    tokens = realtime.answer_token_request("GET", None, b"", Visitor("acme", "ann"))
    print(json.dumps([told[0]["topic"], done, wrong, tokens["site"]]))
logging.disable()
asyncio.run(main())`;
      expect(await run(code)).to.deep.equal(["News_Topic", true, null, "acme"]);
      await client.until(() => client.messages("News_Topic").length === 1);
      expect(dataOf(client, "News_Topic")).to.deep.equal([{ id: 1 }]);
    });

    it("goes on while a relay hangs", async () => {
      const hanging = await StandIn.start(() => undefined);
      try {
        const code = `
async def main():
    realtime = AsyncRealtime()
    print(json.dumps(await asyncio.gather(*(realtime.publish("acme", "News_Topic", {"id": id}) for id in range(30)))))
logging.disable()
asyncio.run(main())`;
        expect(await run(code, { REALTIME_URL: hanging.url })).to.deep.equal(Array<null>(30).fill(null));
        // All were waited for together, each of them once.
        expect(hanging.keys).to.have.length(30);
        expect(hanging.most).to.equal(30);
      } finally {
        hanging.close();
      }
    });

    it("asks once more with the same key", async () => {
      const flaky = await StandIn.start((response, request, attempt) =>
        attempt === 1 ? request.socket.destroy() : response.end(JSON.stringify({ results: [] })),
      );
      try {
        const code = `print(json.dumps(asyncio.run(AsyncRealtime().publish("acme", "News_Topic", {"id": 1}))))`;
        expect(await run(code, { REALTIME_URL: flaky.url })).to.deep.equal([]);
        expect(flaky.keys).to.have.length(2);
        expect(flaky.keys[0]).to.be.a("string").and.equal(flaky.keys[1]);
      } finally {
        flaky.close();
      }
    });
  });
});

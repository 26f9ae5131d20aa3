import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import type { SubscribeResult } from "@bellwire/protocol";
import { folder } from "./backend.js";
import { codeOf } from "../server/stage.js";
import { RawClient } from "../support/socket.js";
import { backendContract } from "./contract.js";
import { dataOf, subscribe, world } from "./world.js";

describe("a backend in PHP", function () {
  this.timeout(30_000);
  const php = world({
    tool: "php",
    prepare: (program) => (port) => [program, "-S", `127.0.0.1:${port}`, join(folder, "php/backend.php")],
  });
  backendContract(php);

  /** Runs PHP with a Realtime and a visitor; what the code returns is JSON. */
  async function run(code: string, env: Record<string, string> = {}): Promise<unknown> {
    const prelude = `require "${join(folder, "php/realtime.php")}";
      class Contact_Updated_Topic {
        static array $asked = [];
        static function can_subscribe($visitor, array $filter): bool { self::$asked[] = [$visitor->user, $filter]; return $filter !== ["id" => 6]; }
      }
      function realtime(): Realtime {
        return new Realtime(topics: [
          "Contact_Updated_Topic" => Contact_Updated_Topic::can_subscribe(...),
          "user.{id}" => fn ($visitor, $filter, $params) => $visitor->user === $params["id"],
          "{kind}.of.{id}" => fn ($visitor, $filter, $params) => $params === ["kind" => "mail", "id" => "7"],
        ]);
      }
      function attempt(callable $work) {
        try { return $work(); }
        catch (Realtime_Refusal $no) { return $no->error()["code"]; }
        catch (Throwable $problem) { return [$problem::class, $problem->getMessage()]; }
      }`;
    const { stdout } = await promisify(execFile)(
      php.program,
      ["-d", "error_log=/dev/null", "-r", `${prelude} echo json_encode((function () { ${code} })());`],
      { env: { PATH: process.env.PATH, ...php.env, ...env } },
    );
    return JSON.parse(stdout);
  }

  it("mints tokens with strings in them, after the topic's rule was asked", async () => {
    const { connect, subscribe, asked } = (await run(`$visitor = new Realtime_Visitor(12, 7, 9); return [
      "connect" => realtime()->connection_token($visitor),
      "subscribe" => realtime()->subscribe_token($visitor, "Contact_Updated_Topic", ["id" => 5]),
      "asked" => Contact_Updated_Topic::$asked];`)) as { connect: string; subscribe: string; asked: unknown };
    expect(asked).to.deep.equal([["7", { id: 5 }]]);
    const client = new RawClient({ url: php.relay.url, appKey: "", site: "12", auth: { v: 1, token: connect } });
    try {
      expect(await client.hello).to.deep.include({ user: "7", session: "9" });
      const items = [5, 6].map((id) => ({ id: String(id), topic: "Contact_Updated_Topic", filter: { id }, token: subscribe }));
      const { results } = await client.emit<{ results: SubscribeResult[] }>("subscribe", items);
      expect(results.map(codeOf)).to.deep.equal(["accepted", "forbidden"]);
      const told = await run(`return realtime()->publish(12, "Contact_Updated_Topic", ["id" => 5]);`);
      expect(told).to.have.nested.property("[0].topic", "Contact_Updated_Topic");
      const twice = `realtime()->publish("12", ["Contact_Updated_Topic", "Other"], ["id" => 5, "n" => 2], ["idempotencyKey" => "order 7"]);`;
      expect(await run(`${twice} return ${twice}`)).to.have.length(2);
      expect(
        await run(`return realtime()->publish(12, "Contact_Updated_Topic", ["id" => 5, "n" => 9], ["except" => ["user" => 7]]);`),
      ).to.be.an("array");
      await run(`return realtime()->publish(12, "Contact_Updated_Topic", ["id" => 5, "n" => 3]);`);
      await client.until(() => client.messages("Contact_Updated_Topic").length === 3);
      expect(dataOf(client, "Contact_Updated_Topic")).to.deep.equal([{ id: 5 }, { id: 5, n: 2 }, { id: 5, n: 3 }]);
    } finally {
      client.close();
    }
  });

  it("gives no token where the rule says no, or there is none", async () => {
    const codes = await run(`
      $try = fn ($topic, $filter = []) => attempt(fn () => is_string(realtime()->subscribe_token(new Realtime_Visitor("acme", 7), $topic, $filter)));
      return [$try("Contact_Updated_Topic"), $try("user.7"), $try("mail.of.7"),
        $try("Contact_Updated_Topic", ["id" => 6]), $try("contact_updated_topic"), $try("Realtime"), $try("a b"), $try("user.8"), $try("user.7.x"), $try("$" . "user")];`);
    expect(codes).to.deep.equal([true, true, true, ...Array<string>(7).fill("forbidden")]);
  });

  it("takes integers for ids, and says of anything else what it got", async () => {
    const given = ["5, 7, 9", "5.0, 'a'", "'a', null", "true, 'a'", "'a', []", "'a b', 'a'", "'a', ''"];
    const code = given.map((ids) => `attempt(fn () => array_values((array) new Realtime_Visitor(${ids})))`).join(", ");
    const wrong = (message: string): string[] => ["InvalidArgumentException", message];
    expect(await run(`return [${code}];`)).to.deep.equal([
      ["5", "7", "9"],
      wrong("site is a string or an integer, not 5.0 (float)"),
      wrong("user is a string or an integer, not (null)"),
      wrong("site is a string or an integer, not true (bool)"),
      wrong("user is a string or an integer, not (array)"),
      wrong('site is 1 to 64 characters of A-Z a-z 0-9 _ -, not "a b" (string)'),
      wrong('user is 1 to 128 bytes, not "" (string)'),
    ]);
  });

  it("takes settings as arguments, where a cached configuration leaves the environment empty", async () => {
    const { APP_KEY: key, REALTIME_URL: url, REALTIME_API_KEY: apiKey } = php.env;
    const env = { APP_KEY: "", REALTIME_URL: "", REALTIME_API_KEY: "", HOOK_SECRET: "", REALTIME_ENABLED: "false" };
    const code = `return (new Realtime(key: "${key}", url: "${url}", api_key: "${apiKey}", enabled: true))->publish(5, "A", []);`;
    expect(await run(code, env)).to.have.nested.property("[0].topic", "A");
  });

  it("throws only where it is asked to", async () => {
    const code = ["publish", "publish_or_fail"].flatMap((method) =>
      ['"a", "T", []', '5.5, "T", []', '"a", "T", ["n" => NAN]'].map((given) => `attempt(fn () => realtime()->${method}(${given}))`),
    );
    const result = (await run(`return [${code.join(", ")}];`, { REALTIME_URL: "http://127.0.0.1:1" })) as unknown[];
    expect(result.slice(0, 3)).to.deep.equal([null, null, null]);
    const thrown = result.slice(3).map((one) => (one as string[])[0]);
    expect(thrown).to.deep.equal(["Realtime_Error", "InvalidArgumentException", "JsonException"]);
  });

  it("does nothing at all where realtime is off", async () => {
    const code = `return [realtime()->is_enabled(), realtime()->publish("acme", "T", ["id" => 5]), realtime()->answer_token_request("GET", null, "", null)];`;
    const env = { REALTIME_ENABLED: "false", REALTIME_URL: "http://127.0.0.1:1" };
    expect(await run(code, env)).to.deep.equal([false, null, { enabled: false }]);
    expect(await run("return realtime()->is_enabled();")).to.equal(true);
  });

  it("publishes from a scheduled task", async () => {
    const client = await php.connect(await php.backend.signIn("ann"));
    await subscribe(client, php.backend, await php.backend.signIn("ann"), { topic: "Report_Ready_Topic" });
    await promisify(execFile)(php.program, [join(folder, "php/backend.php"), "generate_report"], {
      env: { PATH: process.env.PATH, ...php.env },
    });
    await client.until(() => client.messages("Report_Ready_Topic").length === 1);
    expect(dataOf(client, "Report_Ready_Topic")).to.have.nested.property("[0].report_id").that.is.a("number");
  });
});

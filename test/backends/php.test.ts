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

  /** Runs PHP with the class Realtime and a visitor, as a page's controller would. */
  async function run(code: string, env: Record<string, string> = {}): Promise<unknown> {
    const prelude = `require "${join(folder, "php/realtime.php")}";
      class Session {
        static ?string $user = "ann";
        static function get_user_id(): ?string { return self::$user; }
        static function get_session_id(): string { return "s1"; }
        static function get_site_id(): string { return "acme"; }
      }
      class Contact_Updated_Topic extends Realtime_Topic_Abstract {
        static array $asked = [];
        static function can_subscribe(array $filter = []): bool { self::$asked[] = $filter; return $filter !== ["id" => 6]; }
      }
      function refused(callable $work) { try { $work(); return "allowed"; } catch (Realtime_Refusal $no) { return $no->error()["code"]; } }`;
    const { stdout } = await promisify(execFile)(
      php.program,
      ["-d", "error_log=", "-r", `${prelude} echo json_encode((function () { ${code} })());`],
      {
        env: { PATH: process.env.PATH, ...php.env, ...env },
      },
    );
    return JSON.parse(stdout);
  }

  it("mints tokens by Realtime's methods, after the topic's class was asked", async () => {
    const { connect, subscribe, asked } = (await run(`return [
      "connect" => Realtime::connection_token(),
      "subscribe" => Realtime::subscribe_token("Contact_Updated_Topic", ["id" => 5]),
      "asked" => Contact_Updated_Topic::$asked];`)) as { connect: string; subscribe: string; asked: unknown };
    expect(asked).to.deep.equal([{ id: 5 }]);
    const client = new RawClient({ url: php.relay.url, appKey: "", site: "acme", auth: { v: 1, token: connect } });
    try {
      expect(await client.hello).to.deep.include({ user: "ann", session: "s1" });
      const items = [5, 6].map((id) => ({ id: String(id), topic: "Contact_Updated_Topic", filter: { id }, token: subscribe }));
      const { results } = await client.emit<{ results: SubscribeResult[] }>("subscribe", items);
      expect(results.map(codeOf)).to.deep.equal(["accepted", "forbidden"]);
      const told = await run(`return Realtime::publish("Contact_Updated_Topic", ["id" => 5]);`);
      expect(told).to.have.nested.property("[0].topic", "Contact_Updated_Topic");
      const twice = `Realtime::publish(["Contact_Updated_Topic", "Other"], ["id" => 5, "n" => 2], ["idempotencyKey" => "order 7"]);`;
      expect(await run(`${twice} return ${twice}`)).to.have.length(2);
      await run(`return Realtime::publish("Contact_Updated_Topic", ["id" => 5, "n" => 3]);`);
      await client.until(() => client.messages("Contact_Updated_Topic").length === 3);
      expect(dataOf(client, "Contact_Updated_Topic")).to.deep.equal([{ id: 5 }, { id: 5, n: 2 }, { id: 5, n: 3 }]);
    } finally {
      client.close();
    }
  });

  it("gives no token where the class says no, there is none, or nobody is signed in", async () => {
    const codes = await run(`
      $try = fn ($topic, $filter = []) => refused(fn () => Realtime::subscribe_token($topic, $filter));
      $codes = [$try("Contact_Updated_Topic", ["id" => 6]), $try("contact_updated_topic"), $try("Session"), $try("Realtime_Topic_Abstract"), $try("a b")];
      Session::$user = null;
      return [...$codes, $try("Contact_Updated_Topic"), Realtime::connection_token()];`);
    expect(codes).to.deep.equal([...Array<string>(6).fill("forbidden"), null]);
  });

  it("does nothing at all where realtime is off", async () => {
    const code = `return [Realtime::is_enabled(), Realtime::connection_token(), Realtime::subscribe_token("None"), Realtime::publish("T", ["id" => 5])];`;
    const env = { REALTIME_ENABLED: "false", REALTIME_URL: "http://127.0.0.1:1" };
    expect(await run(code, env)).to.deep.equal([false, null, null, null]);
    expect(await run("return Realtime::is_enabled();")).to.equal(true);
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

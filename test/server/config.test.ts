import { randomBytes } from "node:crypto";
import { expect } from "chai";
import { ConfigError, fileJsonSchema, readConfig, type Config, type Environment } from "@bellwire/server";
import type { TestRelay } from "@bellwire/server/testing";
import { Packets } from "./packets.js";
import { post, publish, request, Stage, subscribed } from "./stage.js";

const KEY = `base64:${randomBytes(32).toString("base64")}`;
const API_KEY = "an API key of a test";

/** The line that a relay with these settings ends with, or undefined. */
function complaint(env: Environment): string | undefined {
  try {
    readConfig(env);
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

describe("the settings", () => {
  const stage = Stage.forEachTest();
  const read = (env: Environment): Config => readConfig({ APP_KEY: KEY, REALTIME_API_KEY: API_KEY, ...env });

  describe("of the environment", () => {
    it("are refused in one line that names the variable and what is wrong", () => {
      const wrong: [env: Environment, says: RegExp][] = [
        [{ REALTIME_ENABLED: "maybe" }, /true or false, not "maybe"/],
        [{ REALTIME_WS_PORT: "abc" }, /whole number from 0 to 65535, not "abc"/],
        [{ REALTIME_WS_PORT: "65536" }, /65535/],
        [{ REALTIME_WS_PORT: "-1" }, /"-1"/],
        [{ REALTIME_WS_PORT: "1.5" }, /"1.5"/],
        [{ REALTIME_WS_PORT: "0x10" }, /"0x10"/],
        [{ REALTIME_INTERNAL_PORT: "x" }, /whole number/],
        [{ REALTIME_PUBLIC_URL: "example.com" }, /ws:\/\/ or wss:\/\/ or http:\/\/ or https:\/\/, not "example.com"/],
        [{ REALTIME_PUBLIC_URL: "ftp://example.com" }, /ftp/],
        [{ APP_KEY: "short" }, /5 bytes, and 32 are needed.*openssl rand -base64 32/],
        [{ APP_KEY: "base64:c2hvcnQ=" }, /5 bytes, and 32 are needed/],
        [{ APP_KEY: "base64:*** no base64 at all, yet as long as it must be ***" }, /no base64/],
        [{ APP_KEY: KEY, APP_PREVIOUS_KEYS: `${KEY},short` }, /5 bytes/],
        [{ REALTIME_API_KEY: "short" }, /at least 16/],
        [{ REALTIME_ALLOWED_ORIGINS: "https://a.example,b.example" }, /"b.example" is no origin such as https:/],
        [{ REALTIME_ALLOWED_ORIGINS: "https://a.example/" }, /no slash at the end/],
        [{ REDIS_URL: "http://127.0.0.1" }, /redis:\/\/ or rediss:\/\//],
        [{ REDIS_URL: "127.0.0.1:6379" }, /redis:\/\//],
        [{ REDIS_URL: "redis://127.0.0.1/cache" }, /database number or nothing, not "\/cache"/],
        [{ REDIS_PORT: "0" }, /from 1 to 65535/],
        [{ REDIS_DB: "-1" }, /"-1"/],
        [{ REDIS_PREFIX: "{app}" }, /braces/],
        [{ REDIS_PREFIX: "a b" }, /spaces/],
        [{ REALTIME_LOG: "disk" }, /memory or redis, not "disk"/],
        [{ REALTIME_LOG: "redis" }, /needs REDIS_URL or REDIS_HOST/],
        [{ REALTIME_CONFIG: "/no/such/file.yaml" }, /\/no\/such\/file.yaml can't be read/],
      ];
      for (const [env, says] of wrong) {
        const line = complaint(env);
        const variable = Object.keys(env).at(-1) as string;
        expect(line, variable).to.include(variable).and.to.match(says);
        expect(line, variable).not.to.include("\n");
      }
    });

    it("never repeat a secret", () => {
      const secret = "hunter2";
      const wrong: Environment[] = [
        { APP_KEY: secret },
        { APP_PREVIOUS_KEYS: secret },
        { REALTIME_API_KEY: secret },
        { REDIS_URL: `reids://user:${secret}@example.com/1` },
        { REDIS_URL: `redis://user:${secret}@example.com:port` },
        { REDIS_URL: `user:${secret}@example.com` },
        { REDIS_URL: `redis://user:a/${secret}@example.com` },
      ];
      for (const env of wrong) expect(complaint(env), JSON.stringify(env)).to.be.a("string").and.not.to.include(secret);
    });

    it("count as absent where they are empty or null, as Laravel writes it", () => {
      const names = [
        ...["REALTIME_ENABLED", "REALTIME_WS_PORT", "REALTIME_WS_HOST", "REALTIME_PUBLIC_URL", "APP_PREVIOUS_KEYS", "REALTIME_LOG"],
        ...["REDIS_URL", "REDIS_HOST", "REDIS_PORT", "REDIS_USERNAME", "REDIS_PASSWORD", "REDIS_DB", "REDIS_PREFIX"],
        ...["REALTIME_ALLOWED_ORIGINS", "REALTIME_INTERNAL_PORT", "REALTIME_CONFIG"],
      ];
      const plain = (config: Config): object => ({ ...config, anonymous: undefined });
      const absent = plain(read({}));
      for (const value of ["null", "", "  ", " null "]) {
        expect(plain(read(Object.fromEntries(names.map((name) => [name, value])))), value).to.deep.equal(absent);
      }
      expect(read({ REDIS_HOST: "h", REDIS_PASSWORD: "null", REDIS_USERNAME: "null" }).redis?.target).to.deep.equal({
        host: "h",
        port: 6379,
      });
    });

    it("default to port 6200, in memory, with everything on", () => {
      const config = read({});
      expect(config).to.include({
        enabled: true,
        production: false,
        port: 6200,
        host: undefined,
        internalPort: undefined,
        redis: undefined,
      });
      expect(config.publicUrl.href).to.equal("ws://localhost:6200/");
      expect(config.ticketLife).to.equal(300);
      expect(config.warnings).to.deep.equal([]);
    });

    it("switch with the usual words", () => {
      for (const word of ["true", "TRUE", "1", "yes", "on"]) expect(read({ REALTIME_ENABLED: word }).enabled).to.equal(true);
      for (const word of ["false", "False", "0", "no", "off"]) expect(read({ REALTIME_ENABLED: word }).enabled).to.equal(false);
    });

    it("name Redis as a URL or in parts, where the parts fill in what the URL leaves out", () => {
      const target = (env: Environment): unknown => read(env).redis?.target;
      const parts = { REDIS_HOST: "h", REDIS_PORT: "6380", REDIS_DB: "3", REDIS_USERNAME: "u", REDIS_PASSWORD: "p@ss" };
      expect(target(parts)).to.deep.equal({ host: "h", port: 6380, db: 3, username: "u", password: "p@ss" });
      expect(target({ REDIS_URL: "redis://x:6381" })).to.equal("redis://x:6381");
      expect(target({ ...parts, REDIS_URL: "rediss://x:6381" })).to.equal("rediss://u:p%40ss@x:6381/3");
      expect(target({ ...parts, REDIS_URL: "redis://a:b@x/7" })).to.equal("redis://a:b@x/7");
      expect(read({ REDIS_HOST: "h", REDIS_PREFIX: "app_" }).redis?.prefix).to.equal("app_");
    });

    it("say aloud what was made up", () => {
      const { warnings, keys, apiKeys } = readConfig({});
      expect(warnings).to.have.length(2);
      expect(warnings[0]).to.match(/APP_KEY is not set.*random/);
      expect(warnings[1]).to.include(apiKeys[0]?.key as string);
      expect(readConfig({}).keys).not.to.deep.equal(keys);
    });
  });

  describe("in production", () => {
    const production = { NODE_ENV: "production" };
    const whole = {
      ...production,
      APP_KEY: KEY,
      REALTIME_LOG: "memory",
      REALTIME_PUBLIC_URL: "wss://example.com/ws",
      REALTIME_API_KEY: API_KEY,
    };

    it("need a key, and a Redis unless memory was asked for", () => {
      expect(complaint({ ...whole, APP_KEY: undefined })).to.match(/^Set APP_KEY .*openssl/);
      expect(complaint({ ...whole, REALTIME_LOG: undefined })).to.match(/REDIS_URL or REDIS_HOST.*REALTIME_LOG=memory/);
      expect(complaint({ ...whole, REALTIME_LOG: undefined, REDIS_HOST: "h" })).to.equal(undefined);
      expect(complaint(whole)).to.equal(undefined);
      expect(readConfig(whole).warnings).to.deep.equal([]);
    });

    it("close the API where it has no key", async () => {
      const config = readConfig({ ...whole, REALTIME_API_KEY: undefined });
      expect(config.apiKeys).to.deep.equal([]);
      expect(config.warnings.join()).to.match(/REALTIME_API_KEY is not set: the HTTP API under \/v1 is closed/);
      const relay = await stage.relay({ env: { ...whole, REALTIME_API_KEY: "" } });
      const { status, body } = await post(relay, "5", { topic: "news" }, { key: "whatever it is" });
      expect([status, body.error?.code]).to.deep.equal([403, "forbidden"]);
    });

    it("allow the public URL's origin alone, or none and say so", () => {
      expect(readConfig(whole).origins).to.deep.equal(["https://example.com"]);
      expect(readConfig({ ...whole, REALTIME_PUBLIC_URL: "ws://example.com:8080" }).origins).to.deep.equal(["http://example.com:8080"]);
      expect(readConfig({ ...whole, REALTIME_PUBLIC_URL: "https://example.com" }).origins).to.deep.equal(["https://example.com"]);
      expect(readConfig({ ...whole, REALTIME_ALLOWED_ORIGINS: "https://a.example" }).origins).to.deep.equal(["https://a.example"]);
      const without = readConfig({ ...whole, REALTIME_PUBLIC_URL: undefined });
      expect(without.origins).to.deep.equal([]);
      expect(without.warnings.join()).to.match(/REALTIME_ALLOWED_ORIGINS/);
    });
  });

  describe("of origins", () => {
    /** Whether a page of this origin gets in, by WebSocket and by polling alike. */
    async function isAdmitted(relay: TestRelay, origin: string | undefined): Promise<boolean> {
      const headers: Record<string, string> = origin === undefined ? {} : { origin };
      const bySocket = await Packets.open(relay.url, { headers }).then(
        async (opened) => {
          await opened.close();
          return true;
        },
        () => false,
      );
      const polled = await request(`${relay.httpUrl}/socket.io/?EIO=4&transport=polling`, { headers });
      expect(polled.status, "polling and WebSocket alike").to.equal(bySocket ? 200 : 403);
      const everybody = bySocket && relay.relay.config.origins.includes("*");
      expect(polled.headers.get("access-control-allow-origin")).to.equal(
        everybody ? "*" : bySocket && origin !== undefined ? origin : null,
      );
      return bySocket;
    }

    it("let any localhost in by default, and whoever sends none", async () => {
      const relay = await stage.relay();
      const good = [
        "http://localhost",
        "http://localhost:5173",
        "https://localhost:8443",
        "http://127.0.0.1:3000",
        "http://[::1]:80",
        "http://app.localhost",
      ];
      for (const origin of [undefined, ...good]) expect(await isAdmitted(relay, origin), origin).to.equal(true);
      const bad = [
        "https://example.com",
        "http://localhost.example.com",
        "http://xlocalhost",
        "null",
        "http://127.0.0.2",
        "http://localhost:80.example.com",
      ];
      for (const origin of bad) expect(await isAdmitted(relay, origin), origin).to.equal(false);
    });

    it("let the listed ones in alone, and the log has the line that adds a refused one to the list", async () => {
      const lines: string[] = [];
      const env = { REALTIME_ALLOWED_ORIGINS: "https://a.example, http://localhost:3000" };
      const relay = await stage.relay({ env, onLog: (line) => lines.push(line) });
      for (const origin of [undefined, "https://a.example", "http://localhost:3000"])
        expect(await isAdmitted(relay, origin), origin).to.equal(true);
      expect(lines.filter((line) => /Refused/.test(line))).to.deep.equal([]);
      for (const origin of ["https://b.example", "http://a.example", "https://a.example:444", "http://localhost:3001"]) {
        expect(await isAdmitted(relay, origin), origin).to.equal(false);
      }
      expect(await isAdmitted(relay, "null"), "a sandboxed frame").to.equal(false);
      expect(lines.at(-1)).to.match(/Refused a page from null; only REALTIME_ALLOWED_ORIGINS=\* /);
      const refused = lines.filter((line) => /from https:\/\/b\.example/.test(line));
      expect(refused).to.have.length(1);
      const suggested = /REALTIME_ALLOWED_ORIGINS=(\S+)$/.exec(refused[0] as string)?.[1];
      expect(readConfig({ APP_KEY: KEY, REALTIME_ALLOWED_ORIGINS: suggested }).origins).to.have.members([
        "https://a.example",
        "http://localhost:3000",
        "https://b.example",
      ]);
    });

    it("let everybody in with *", async () => {
      const relay = await stage.relay({ env: { REALTIME_ALLOWED_ORIGINS: "*" } });
      for (const origin of [undefined, "https://a.example", "null"]) expect(await isAdmitted(relay, origin), origin).to.equal(true);
    });
  });

  describe("of the file", () => {
    const fileLine = async (content: string): Promise<string | undefined> =>
      complaint({ REALTIME_CONFIG: await stage.file("bellwire.yaml", content) });

    it("are refused in one line that names the file, the place and what is wrong", async () => {
      const wrong: [content: string, says: RegExp][] = [
        ["sites: [", /can't be read/],
        ["5", /the file/],
        ["colour: red", /the file: .*colour/],
        ["sites: {a: {colour: red}}", /sites\.a: .*colour/],
        ['sites: {"a b": {}}', /sites\.a b: a site is/],
        ["sites: {a: {keys: []}}", /sites\.a\.keys/],
        ["sites: {a: {keys: [short]}}", /sites\.a\.keys: .*5 bytes/],
        ["topics: {'a*b': {}}", /topics\.a\*b: a topic, or a prefix/],
        ["topics: {a: {log: {messages: 0}}}", /topics\.a\.log\.messages/],
        ["topics: {a: {log: {age: 5 days}}}", /topics\.a\.log\.age: a duration is a number with ms, s, m, h or d/],
        ["sites: {a: {keys: [{kid: x}]}}", /sites\.a\.keys\.0: .*; or key: .*expected string/],
        ["apiKeys: [{key: short}]", /apiKeys\.0\.key/],
        ["limits: {dataBytes: many}", /limits\.dataBytes/],
        ["limits: {subscriptionsPerConnection: 0}", /limits\.subscriptionsPerConnection/],
        ["tickets: {life: -1}", /tickets\.life/],
        ["anonymous: perhaps", /anonymous/],
      ];
      for (const [content, says] of wrong) {
        const line = await fileLine(content);
        expect(line, content)
          .to.match(says)
          .and.to.match(/^REALTIME_CONFIG: .*(bellwire\.yaml|sites)/);
        expect(line, content).not.to.include("\n");
      }
    });

    it("may be YAML or JSON, with times as words or milliseconds", async () => {
      const yaml = "topics:\n  news.*: {log: {messages: 5, age: 1.5h}}\n  a: {log: {age: 500ms}}\ntickets:\n  life: 2m\n";
      const config = read({ REALTIME_CONFIG: await stage.file("bellwire.yaml", yaml) });
      const { topic } = config.settings.of("acme");
      expect(topic("news.today").log).to.deep.equal({ messages: 5, age: 5_400_000 });
      expect(topic("a").log).to.deep.equal({ messages: 1000, age: 500 });
      expect(config.ticketLife).to.equal(120);
      const json = read({ REALTIME_CONFIG: await stage.file("bellwire.json", '{"tickets": {"life": 0}, "limits": {"dataBytes": 9}}') });
      expect(json.ticketLife).to.equal(0);
      expect(json.limits.dataBytes).to.equal(9);
      expect(complaint({ REALTIME_CONFIG: await stage.file("empty.yaml", "") })).to.equal(undefined);
    });

    it("have a JSON Schema that editors can use", () => {
      const schema = fileJsonSchema() as { type: string; properties: object };
      expect(schema.type).to.equal("object");
      expect(Object.keys(schema.properties)).to.include.members(["sites", "topics", "apiKeys", "limits", "tickets"]);
    });

    it("keep as many messages of a topic as they say", async () => {
      const relay = await stage.relay({ file: { topics: { "few.*": { log: { messages: 2 } } } } });
      const client = await stage.connect(relay, { claims: { grants: [{ topic: "*" }] } });
      for (const topic of ["few.a", "many"]) for (let id = 1; id <= 4; id++) await publish(relay, topic, { id });
      const { epoch } = await publish(relay, "few.a", { id: 5 });
      const [few] = await client.subscribe({ id: "1", topic: "few.a", since: { epoch, offset: 2 } });
      const [enough] = await client.subscribe({ id: "2", topic: "few.a", since: { epoch, offset: 3 } });
      expect(subscribed(few).resync).to.equal(true);
      expect(subscribed(enough).messages).to.have.length(2);
    });
  });
});

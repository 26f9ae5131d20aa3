import { createHmac, hkdfSync } from "node:crypto";
import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { ConfigError, readConfig, type Config } from "@bellwire/server";
import { Signer, signingKeys } from "../../server/src/hooks/signing.js";
import { APP_KEY } from "./hooks-backend.js";
import { Stage } from "./stage.js";

const SECRET = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;

describe("the section hooks of the configuration file", () => {
  const stage = Stage.forEachTest();
  const read = async (content: string): Promise<Config> =>
    readConfig({ APP_KEY, REALTIME_CONFIG: await stage.file("bellwire.yaml", content) });

  async function complaint(content: string): Promise<string> {
    try {
      await read(content);
    } catch (error) {
      if (error instanceof ConfigError) return error.message;
      throw error;
    }
    return "accepted";
  }

  it("takes one backend for an event, or several, and fills in what is left out", async () => {
    const { hooks } = await read(`
hooks:
  secret: ${SECRET}
  headers: [Cookie, authorization]
  connect:   {url: http://127.0.0.1:8080/hooks, timeout: 2s}
  refresh:   {url: http://127.0.0.1:8080/hooks}
  subscribe: [{topics: ["user.*"], url: http://127.0.0.1:8081/hooks}, {url: http://127.0.0.1:8080/hooks, onFailure: allow}]
  publish:   {url: http://127.0.0.1:8080/hooks}
  rpc:       [{methods: ["ping"], url: http://127.0.0.1:8080/hooks}, {http: "http://127.0.0.1:8080", allow: ["GET:/users/*", "post:news/store"]}]
  notices:   {url: http://127.0.0.1:8080/hooks, events: [connected]}
`);
    const url = "http://127.0.0.1:8080/hooks";
    const load = { concurrency: 100, queue: 1000 };
    const asking = { url, timeout: 2000, retries: 1, onFailure: "refuse", ...load };
    expect(hooks).to.deep.equal({
      secret: [SECRET],
      headers: ["cookie", "authorization"],
      connect: [asking],
      refresh: [asking],
      subscribe: [
        { ...asking, url: "http://127.0.0.1:8081/hooks", topics: ["user.*"] },
        { ...asking, onFailure: "allow" },
      ],
      publish: [{ ...asking, retries: 0 }],
      rpc: [
        { ...asking, retries: 0, timeout: 30_000, methods: ["ping"] },
        { http: "http://127.0.0.1:8080/", allow: ["get:users/*", "post:news/store"], timeout: 30_000, ...load },
      ],
      notices: { url, events: ["connected"], timeout: 10_000, topics: ["*"], filters: false },
    });
    expect((await read("hooks: {}")).hooks).to.deep.equal(readConfig({ APP_KEY }).hooks);
  });

  it("is refused in one line that names the place", async () => {
    const wrong: [section: string, says: RegExp][] = [
      ["connect: {}", /hooks\.connect.*url/],
      ["connect: {url: nope}", /hooks\.connect\.url: an http:\/\/ or https:\/\/ address/],
      ["connect: {url: 'ftp://a'}", /hooks\.connect\.url/],
      ["connect: {url: 'http://user:hunter2@a/'}", /without user, password/],
      ["connect: {url: 'http://a', onFailure: allow}", /hooks\.connect.*onFailure/],
      ["rpc: {url: 'http://a', onFailure: allow}", /hooks\.rpc.*onFailure/],
      ["connect: {url: 'http://a', topics: [a]}", /hooks\.connect.*topics/],
      ["subscribe: {url: 'http://a', topics: ['a*b']}", /hooks\.subscribe\.topics\.0: a topic, a prefix/],
      ["subscribe: {url: 'http://a', topics: ['a.{b']}", /hooks\.subscribe\.topics\.0/],
      ["subscribe: {url: 'http://a', topics: ['{a}{b}']}", /hooks\.subscribe\.topics\.0/],
      ["refresh: {url: 'http://a', timeout: 10m}", /hooks\.refresh\.timeout: a timeout is 1ms to 5m/],
      ["publish: {url: 'http://a', retries: -1}", /hooks\.publish\.retries/],
      ["publish: {url: 'http://a', concurrency: 0}", /hooks\.publish\.concurrency/],
      ["rpc: {http: 'http://a', allow: []}", /hooks\.rpc/],
      ["rpc: {http: 'http://a', allow: ['get:../a']}", /a call is verb:path/],
      ["rpc: {http: 'http://a', allow: ['*']}", /a call is verb:path/],
      ["rpc: {http: 'http://a?b', allow: ['get:a']}", /has no query/],
      ["secret: hunter2", /hooks\.secret: a secret is whsec_/],
      ["secret: whsec_aHVudGVyMg==", /24 to 64 bytes/],
      ["headers: ['a b']", /hooks\.headers\.0/],
      ["notices: {url: 'http://a', events: [gone]}", /hooks\.notices\.events\.0/],
      ["colour: red", /hooks: .*colour/],
    ];
    for (const [section, says] of wrong) {
      const line = await complaint(`hooks: {${section}}`);
      expect(line, section)
        .to.match(says)
        .and.not.to.match(/\n|hunter2/);
    }
  });

  it("says what topics allow: by the first name that covers them, nothing by default", async () => {
    const { settings } = await read(
      `topics: {"chat.*": {publish: true, presence: count}, "room.1": {presence: true}, "room.*": {publish: true}, a: {log: {messages: 5}}}`,
    );
    const options = ["chat.lobby", "room.1", "room.2", "a", "chat", "$user"].map((topic) => {
      const { publish, presence } = settings.of("acme").topic(topic);
      return { publish, presence };
    });
    expect(options).to.deep.equal([
      { publish: true, presence: "count" },
      { publish: false, presence: true },
      { publish: true, presence: false },
      ...[1, 2, 3].map(() => ({ publish: false, presence: false })),
    ]);
    expect(await complaint("topics: {a: {presence: some}}")).to.match(/topics\.a\.presence/);
    expect(await complaint("topics: {a: {publish: 1}}")).to.match(/topics\.a\.publish/);
  });
});

describe("the page about hooks", () => {
  it("has signatures that are right", async () => {
    const page = await readFile(new URL("../../docs/hooks.md", import.meta.url), "utf8");
    const key = Buffer.from(/secret: whsec_(\S+)/.exec(page)?.[1] ?? "", "base64");
    const examples = [...page.matchAll(/```http\n(\S+ \S+) HTTP\/1\.1\n([^`]*?)(?:\n\n([^`]*))?\n```/g)];
    expect(examples).to.have.length(2);
    for (const [, target, lines, body = ""] of examples) {
      const headers = Object.fromEntries((lines as string).split("\n").map((line) => line.split(": ", 2))) as Record<string, string>;
      const identity = [headers["bellwire-site"], headers["bellwire-user"], headers["bellwire-session"]];
      const content = identity[0] === undefined ? body : [target, ...identity, body].join("\n");
      const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${content}`;
      expect(headers["webhook-signature"]).to.equal(`v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
    }
    const derived = Buffer.from(hkdfSync("sha256", APP_KEY, "", "bellwire hook", 32));
    expect(page).to.include(derived.toString("base64"));
    expect(signingKeys([], APP_KEY)).to.deep.equal([derived]);
    expect(signingKeys([], `base64:${Buffer.from(APP_KEY).toString("base64")}`)).to.deep.equal([derived]);
    expect(new Signer([derived]).sign("msg_1", "{}")["webhook-signature"]).to.match(/^v1,[A-Za-z0-9+/]{43}=$/);
  });
});

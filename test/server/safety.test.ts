import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { expect } from "chai";
import { readConfig } from "@bellwire/server";
import { startChat } from "../../examples/chat/src/server.js";
import { HookBackend } from "./hooks-backend.js";
import { codeOf, request, Stage } from "./stage.js";
import { subscribeToken } from "../support/tokens.js";

describe("what is safe by itself", () => {
  const stage = Stage.forEachTest();

  it("refuses to pass cookies on from pages of every origin, and to start so", () => {
    const start = (origins: string, headers: string[]): unknown =>
      readConfig({ REALTIME_ALLOWED_ORIGINS: origins }, { hooks: { headers, connect: { url: "http://127.0.0.1:1/" } } });
    for (const headers of [["cookie"], ["Cookie"], ["authorization", "cookie:session"]]) {
      expect(() => start("*", headers), headers.join()).to.throw(/^REALTIME_ALLOWED_ORIGINS=\* together with hooks\.headers/);
      expect(() => start("https://a.example,*", headers)).to.throw("REALTIME_ALLOWED_ORIGINS=*");
      start("https://a.example", headers);
    }
    start("*", ["authorization"]);
  });

  it("answers polling pages of every origin without their credentials, and listed ones with them", async () => {
    const url = "/socket.io/?EIO=4&transport=polling";
    const headers = { origin: "https://a.example" };
    const open = await stage.relay({ env: { REALTIME_ALLOWED_ORIGINS: "*" } });
    const anybody = await request(`${open.httpUrl}${url}`, { headers });
    expect(anybody.status).to.equal(200);
    expect(anybody.headers.get("access-control-allow-origin")).to.equal("*");
    expect(anybody.headers.get("access-control-allow-credentials")).to.equal(null);
    const closed = await stage.relay({ env: { REALTIME_ALLOWED_ORIGINS: "https://a.example" } });
    const listed = await request(`${closed.httpUrl}${url}`, { headers });
    expect(listed.headers.get("access-control-allow-origin")).to.equal("https://a.example");
    expect(listed.headers.get("access-control-allow-credentials")).to.equal("true");
  });

  it("puts no password into the line about a wrong address of Redis", () => {
    const secret = "hunter2";
    for (const url of [
      `redis://user:a/${secret}@host`,
      `redis://user:1/${secret}@host`,
      `redis://user:${secret}/b@host`,
      `redis://:${secret}/@host`,
      `redis://user:a?${secret}@host`,
      `redis://user:a#${secret}@host`,
      `redis://user:1?${secret}@host`,
      `redis://user:1#${secret}@host`,
      `http://user:${secret}@host`,
      `redis:/user:${secret}@host`,
    ]) {
      let line = "";
      try {
        readConfig({ REDIS_URL: url });
      } catch (error) {
        line = (error as Error).message;
      }
      expect(line, url)
        .to.match(/^REDIS_URL/)
        .and.not.to.include(secret);
    }
  });

  it("lets no data of a browser change the method of a call", async () => {
    const backend = await HookBackend.open(stage, () => ({}));
    const relay = await stage.relay({
      file: { hooks: { rpc: [{ http: `${backend.url}/`, allow: ["get:users/*", "post:news/store"] }] } },
    });
    const client = await stage.connect(relay);
    const data = {
      id: 5,
      _method: "DELETE",
      _METHOD: "DELETE",
      " _method": "DELETE",
      "_method[]": "DELETE",
      ".method": "DELETE",
      "x-http-method-override": "DELETE",
      "X-HTTP-Method": "DELETE",
    };
    await client.emit("rpc", { method: "get:users/5", data });
    await client.emit("rpc", { method: "post:news/store", data });
    const [got, posted] = backend.asked as unknown as { url: string; path: string; body: unknown }[];
    expect(JSON.stringify(got)).to.contain("id=5").and.not.to.contain("DELETE");
    expect(JSON.stringify(posted)).to.contain('"id":5').and.not.to.contain("DELETE");
  });

  it("lets an anonymous visitor without a session use nobody's subscribe token", async () => {
    const relay = await stage.relay();
    const grants = [{ topic: "news" }];
    const codes = async (sid: string | undefined, tokenSid: string | undefined): Promise<string> => {
      const client = await stage.connect(relay, { claims: { sub: "", sid } });
      const token = subscribeToken(relay.appKey, { sub: "", sid: tokenSid, grants });
      const { results } = await client.emit<{ results: never[] }>("subscribe", [{ id: "1", topic: "news", token }]);
      return codeOf(results[0]);
    };
    expect(await codes(undefined, undefined)).to.equal("forbidden");
    expect(await codes(undefined, "s1")).to.equal("forbidden");
    expect(await codes("s1", undefined)).to.equal("forbidden");
    expect(await codes("s1", "s1")).to.equal("accepted");
  });

  it("bounds the bodies that its demos take, in chunks too", async () => {
    const chat = await startChat({ port: 0, env: {} });
    stage.closeLater(() => chat.close());
    const url = new URL("/api/session", chat.url.replace("localhost", "127.0.0.1"));
    const sent = httpRequest(url, { method: "POST", headers: { "content-type": "application/json" } });
    sent.on("error", () => undefined);
    sent.write('{"name":"');
    const more = setInterval(() => sent.write("x".repeat(1000)), 5);
    stage.closeLater(() => clearInterval(more));
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    expect(response.statusCode).to.equal(413);
    sent.destroy();
  });
});

import { expect } from "chai";
import { ClientError } from "../../client/src/errors.js";
import { createReporter, type Reporter } from "../../client/src/reporter.js";
import { refused } from "./fake-relay.js";
import { state, until, useStage } from "./setup.js";

describe("the console of a page with no error handler", () => {
  const warn = console.warn;
  let lines: string[];
  let now: number;
  let waiting: string[];
  let reporter: Reporter;
  beforeEach(() => {
    [lines, now, waiting] = [[], 0, []];
    console.warn = (line: string) => lines.push(line);
    reporter = createReporter(
      undefined,
      () => false,
      () => waiting,
      () => now,
    );
  });
  afterEach(() => (console.warn = warn));
  const fail = (code: string, topic?: string, retry = "later"): void =>
    reporter.report(new ClientError({ code, message: `${code}!`, retry }, undefined, topic));

  it("hears of each code and topic once, with the second failure, and what to look at", () => {
    for (let i = 0; i < 100; i++) for (const topic of ["A", "B"]) fail("internal", topic);
    fail("unavailable", "A");
    expect(lines).to.deep.equal(
      ["A", "B"].map((topic) => `bellwire: "${topic}": internal!; the log of backend and relay says why (internal, tried again)`),
    );
    fail("unavailable", "A");
    expect(lines).to.have.length(3);
  });

  it("hears at once of what is for good", () => {
    for (let i = 0; i < 3; i++) fail("forbidden", "A", "never");
    expect(lines).to.deep.equal([`bellwire: "A": forbidden!; see the topic's rule in the backend, or its hook (forbidden)`]);
  });

  it("is told which topics a lost connection leaves waiting", () => {
    waiting = ["A", "A", "B", "C"];
    for (let i = 0; i < 3; i++) fail("strange");
    expect(lines).to.deep.equal(['bellwire: "A" and 2 more: strange! (strange, tried again)']);
  });

  it("hears again after all was well for a while, and of what comes and goes without an end", () => {
    for (let i = 0; i < 2; i++) fail("timeout");
    reporter.whole();
    now += 60_000;
    for (let i = 0; i < 2; i++) fail("timeout");
    expect(lines).to.have.length(2);
    for (let i = 0; i < 5; i++) {
      reporter.whole("A");
      now += 1000;
      fail("limit", "A");
    }
    expect(lines).to.have.length(3);
    for (let i = 0; i < 5; i++) {
      reporter.whole("B");
      now += 60_000;
      fail("limit", "B");
      reporter.whole("B");
    }
    expect(lines).to.have.length(3);
  });

  it("is not flooded", () => {
    for (let i = 0; i < 2000; i++) fail("forbidden", `T${i}`, "never");
    expect(lines).to.have.length(50);
  });
});

describe("an error while waiting", () => {
  const stage = useStage();

  it("stands in client.error and subscription.error, and goes once all is well; onError hears each", async () => {
    const heard: unknown[] = [];
    const client = stage.client({ onError: (error) => heard.push(error) });
    let attempts = 0;
    stage.relay.admit = () => (attempts++ < 3 ? { code: "token-invalid", message: "check APP_KEY", retry: "refresh" } : undefined);
    const seen: unknown[] = [];
    const subscription = client.subscribe("T", () => {});
    client.onState((now) => now === "waiting" && seen.push([client.error?.code, subscription.state, subscription.error?.message]));
    await subscription.ready;
    expect(seen).to.deep.equal([1, 2, 3].map(() => ["token-invalid", "pending", "check APP_KEY"]));
    expect([client.error, subscription.error, heard.length]).to.deep.equal([undefined, undefined, 3]);
  });

  it("is a subscription's own where the connection stands", async () => {
    const heard: ClientError[] = [];
    const client = stage.client({ onError: (error) => heard.push(error as ClientError) });
    stage.relay.subscribe = (item) => refused(item, "limit", "later");
    const [one, other] = [client.subscribe("T", { n: 1 }, () => {}), client.subscribe("T", { n: 2 }, () => {})];
    await until(() => heard.length === 2);
    expect([client.state, client.error, one.state, one.error?.code, other.error?.topic]).to.deep.equal([
      "connected",
      undefined,
      "pending",
      "limit",
      "T",
    ]);
    // Once for each attempt, not for each subscription of the topic.
    expect(heard.map(({ topic }) => topic)).to.deep.equal(["T", "T"]);
    one.unsubscribe();
    expect([one.state, one.error]).to.deep.equal(["unsubscribed", undefined]);
    client.close();
    await state(client, "closed");
    expect(client.error).to.equal(undefined);
  });

  it("leads to another question where the endpoint refused for now", async () => {
    const client = stage.client({ onError: () => {} });
    let refusals = 2;
    stage.relay.answer = ({ subscriptions }) =>
      subscriptions === undefined || refusals-- <= 0
        ? undefined
        : { body: { url: stage.relay.url, site: "s1", token: "t", results: [{ error: { code: "internal", message: "rule" } }] } };
    await client.subscribe("T", () => {}).ready;
    expect(stage.relay.tokenRequests).to.have.length(3);
    expect(stage.relay.subscribes.flat().map(({ token }) => token)).to.deep.equal(["subscribe token 3"]);
  });
});

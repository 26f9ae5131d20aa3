import { expect } from "chai";
import { EVERYTHING, type Retry } from "@bellwire/protocol";
import { DEFAULT_FRAME, readFrameLimits } from "../../client/src/connection/frame-limits.js";
import { afterLoss, type Loss } from "../../client/src/connection/after-loss.js";
import { targetOf } from "../../client/src/connection/target.js";
import { batches } from "../../client/src/subscriptions/batches.js";
import { Retries } from "../../client/src/subscriptions/retries.js";
import { WireSubscription, type Hearer } from "../../client/src/subscriptions/wire-subscription.js";
import { ClientError } from "../../client/src/errors.js";

const wire = (): WireSubscription => new WireSubscription("s1", "T", EVERYTHING, () => 0);

describe("the target of a connection", () => {
  const path = (url: string | undefined, base?: string): string => {
    const target = targetOf(url, "s1", base);
    return target.origin + target.path;
  };

  it("has the url's path as a prefix", () => {
    expect(path("wss://example.com")).to.equal("wss://example.com/socket.io/");
    expect(path("wss://example.com/ws/")).to.equal("wss://example.com/ws/socket.io/");
    expect(path("http://[::1]:6200/a/b/socket.io/")).to.equal("http://[::1]:6200/a/b/socket.io/");
    expect(path("/ws", "https://example.com/page?x")).to.equal("https://example.com/ws/socket.io/");
    expect(path(undefined, "https://example.com/realtime")).to.equal("https://example.com/socket.io/");
    expect(targetOf("ws://x", "s_1", undefined).namespace).to.equal("/site/s_1");
  });

  it("refuses what can't be one", () => {
    expect(() => targetOf("ftp://x", "s1", undefined)).to.throw("not one like");
    expect(() => targetOf("/ws", "s1", undefined)).to.throw("not one like");
    expect(() => targetOf("ws://x", "no/site", undefined)).to.throw("A site is");
    expect(() => targetOf("ws://x", undefined, undefined)).to.throw("A site is");
  });
});

describe("after a loss", () => {
  const next = (retry: Retry, more: Partial<Loss> = {}): string =>
    afterLoss({ retry, wasUp: false, usedTicket: false, renewable: true, ...more });

  it("the error's word counts", () => {
    expect([next("never"), next("never", { wasUp: true, usedTicket: true })]).to.deep.equal(["stop", "stop"]);
    expect([next("later"), next("later", { renewable: false })]).to.deep.equal(["later", "later"]);
  });

  it("a refused ticket gives way to a token at once, a refused token to another with backoff", () => {
    expect(next("refresh", { usedTicket: true })).to.equal("now");
    expect(next("refresh", { usedTicket: true, renewable: false })).to.equal("now");
    expect(next("refresh")).to.equal("later");
    expect(next("refresh", { renewable: false })).to.equal("no-token");
    expect(next("refresh", { wasUp: true, renewable: false })).to.equal("later");
  });
});

describe("batches", () => {
  const cut = (lengths: readonly number[]): number[][] => batches(lengths, { count: 3, length: 10 }, (length) => length);

  it("keep together what fits, in order", () => {
    expect(cut([])).to.deep.equal([]);
    expect(cut([5, 5])).to.deep.equal([[5, 5]]);
    expect(cut([5, 5, 1])).to.deep.equal([[5, 5], [1]]);
    expect(cut([1, 1, 1, 1])).to.deep.equal([[1, 1, 1], [1]]);
  });

  it("give what is too long by itself a part of its own", () => {
    expect(cut([1, 99, 1, 1])).to.deep.equal([[1], [99], [1, 1]]);
  });
});

describe("the limits of a frame", () => {
  it("are what hello says, or something that any relay takes", () => {
    expect(readFrameLimits({ limits: { subscriptionsPerFrame: 7, frameBytes: 900, dataBytes: 9 } })).to.deep.equal({
      count: 7,
      length: 300,
      bytes: 900,
      dataBytes: 9,
    });
    expect(readFrameLimits({ limits: { subscriptionsPerFrame: "7" } })).to.deep.equal(DEFAULT_FRAME);
    expect(readFrameLimits({})).to.deep.equal(DEFAULT_FRAME);
  });
});

describe("a wire subscription", () => {
  const listen = (to: WireSubscription, replay = true): unknown[] => {
    const all: unknown[] = [];
    const hearer: Hearer = {
      replay,
      confirm: () => all.push("confirmed"),
      deliver: (message) => all.push([message.offset, message.replay]),
      resync: () => all.push("resync"),
    };
    to.hearers.add(hearer);
    return all;
  };

  it("resumes from nothing, then from its cursor, or from null where there is none", () => {
    const one = wire();
    expect(one.since).to.equal(undefined);
    one.acked({ epoch: "e", offset: 4, messages: [] });
    expect(one.since).to.deep.equal({ epoch: "e", offset: 4 });
    one.acked({ resync: true });
    expect(one.since).to.equal(null);
    const all = listen(one);
    one.messages("e", [[9, 0, {}]]);
    expect(all).to.deep.equal(["resync"]);
    expect(one.since).to.deep.equal({ epoch: "e", offset: 9 });
  });

  it("tells the messages of a first ack as replay, those of a later one as missed", () => {
    const one = wire();
    const [all, without] = [listen(one), listen(one, false)];
    one.acked({ epoch: "e", offset: 4, messages: [[4, 0, {}]] });
    one.acked({
      epoch: "e",
      offset: 6,
      messages: [
        [5, 0, {}],
        [6, 0, {}],
      ],
    });
    expect(all).to.deep.equal(["confirmed", [4, true], "confirmed", [5, false], [6, false]]);
    expect(without).to.deep.equal(["confirmed", "confirmed", [5, false], [6, false]]);
  });

  it("forgets its last message with a resync, since it may not be the last any more", () => {
    const one = wire();
    one.acked({ epoch: "e", offset: 4, messages: [[4, 0, {}]] });
    expect(one.last).to.include({ offset: 4 });
    one.resync({ epoch: "e", offset: 9 }, 0);
    expect(one.last).to.equal(undefined);
  });
});

describe("refused subscriptions", () => {
  const error = (retry: string, after = 0): ClientError => new ClientError({ code: "x", message: "x", retry, after });
  const retries = (renewable: boolean, log: unknown[]): Retries =>
    new Retries({
      renewable,
      backoff: (attempt, after) => {
        log.push(["wait", attempt, after]);
        return 60_000;
      },
      report: () => {},
      fail: ({ id }, { retry }) => log.push(["fail", id, retry]),
      again: () => log.push("again"),
    });

  it("wait together, for the longest that any was told", () => {
    const log: unknown[] = [];
    const [a, b] = [wire(), wire()];
    retries(true, log).refused([
      [a, error("later", 5)],
      [b, error("unheard of", 9)],
    ]);
    expect(log).to.deep.equal([["wait", 0, 9]]);
    expect([a.status, b.status]).to.deep.equal(["waiting", "waiting"]);
  });

  it("refresh at once the first time, then wait", () => {
    const log: unknown[] = [];
    const one = wire();
    one.ticket = "old";
    const decide = retries(true, log);
    decide.refused([[one, error("refresh")]]);
    expect([one.status, one.ticket]).to.deep.equal(["wanted", undefined]);
    decide.refused([[one, error("refresh")]]);
    expect(log).to.deep.equal(["again", ["wait", 1, 0]]);
  });

  it("end where nothing can be refreshed; a ticket can, by going without", () => {
    const log: unknown[] = [];
    const one = wire();
    one.ticket = "old";
    const decide = retries(false, log);
    decide.refused([[one, error("refresh")]]);
    decide.refused([[one, error("refresh")]]);
    expect(log).to.deep.equal(["again", ["fail", "s1", "never"]]);
  });
});

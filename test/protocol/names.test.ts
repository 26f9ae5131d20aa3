import { expect } from "chai";
import fc from "fast-check";
import {
  BellwireError,
  isEpoch,
  isOffset,
  isSite,
  isTopic,
  isTopicPattern,
  parsePosition,
  parseSite,
  parseTopic,
  samePosition,
  siteNamespace,
  siteOfNamespace,
} from "@bellwire/protocol";

describe("names", () => {
  it("of a site make its round trip through the namespace", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/), (site) => {
        expect(parseSite(site)).to.equal(site);
        expect(siteOfNamespace(siteNamespace(site))).to.equal(site);
      }),
    );
  });

  it("of a namespace that is no site's are nobody's", () => {
    for (const name of [
      "/",
      "/control",
      "/site",
      "/site/",
      "/site/a/b",
      "/site/a?x=1",
      "site/a",
      "//site/a",
      "/site/a\n",
      "/Site/a",
      "/site/\u00e9",
    ]) {
      expect(siteOfNamespace(name), name).to.equal(undefined);
    }
  });

  it("are judged by their characters and length, for any string", () => {
    const near = fc.string({
      unit: fc.constantFrom("a", "Z", "0", "_", "-", ".", ":", "$", "*", "/", " ", "\n", "\u00e9"),
      maxLength: 140,
    });
    fc.assert(
      fc.property(fc.oneof(near, fc.string()), (name) => {
        const only = (allowed: string): boolean => [...name].every((char) => /[A-Za-z0-9]/.test(char) || allowed.includes(char));
        expect(isSite(name)).to.equal(name.length >= 1 && name.length <= 64 && only("_-"));
        const topic = name.length >= 1 && name.length <= 128 && only("_.:$-");
        expect(isTopic(name)).to.equal(topic);
        const prefix = name.slice(0, -1);
        expect(isTopicPattern(name)).to.equal(topic || (name.endsWith("*") && name.length <= 128 && (prefix === "" || isTopic(prefix))));
      }),
      { numRuns: 3000 },
    );
  });

  it("that begin with $ are forbidden, malformed ones a bad request", () => {
    expect(parseTopic("user.42")).to.equal("user.42");
    expect(() => parseTopic("$user"))
      .to.throw(BellwireError)
      .with.property("code", "forbidden");
    for (const name of ["", "a b", "a*", "x".repeat(129), 5, null, undefined, ["a"], { toString: () => "a" }]) {
      expect(() => parseTopic(name))
        .to.throw(BellwireError)
        .with.property("code", "bad-request");
    }
    for (const name of ["", "a.b", "x".repeat(65), 5, null])
      expect(() => parseSite(name))
        .to.throw(BellwireError)
        .with.property("code", "bad-request");
  });
});

describe("a position", () => {
  it("is an epoch of at most 32 characters and an offset below 2^53", () => {
    expect(parsePosition({ epoch: "1", offset: 0, more: 1 })).to.deep.equal({ epoch: "1", offset: 0 });
    expect(parsePosition({ epoch: "e".repeat(32), offset: 2 ** 53 - 1 })).to.deep.equal({ epoch: "e".repeat(32), offset: 2 ** 53 - 1 });
    const bad: unknown[] = [
      null,
      [],
      {},
      "1-0",
      { epoch: 1, offset: 0 },
      { epoch: "1" },
      { epoch: "e".repeat(33), offset: 0 },
      { epoch: "1", offset: -1 },
      { epoch: "1", offset: 1.5 },
      { epoch: "1", offset: 2 ** 53 },
      { epoch: "1", offset: "0" },
      { epoch: "1", offset: NaN },
    ];
    for (const value of bad)
      expect(() => parsePosition(value), JSON.stringify(value))
        .to.throw(BellwireError)
        .with.property("code", "bad-request");
  });

  it("is compared in both parts", () => {
    expect(samePosition({ epoch: "1", offset: 2 }, { epoch: "1", offset: 2 })).to.equal(true);
    expect(samePosition({ epoch: "1", offset: 2 }, { epoch: "2", offset: 2 })).to.equal(false);
    expect(samePosition({ epoch: "1", offset: 2 }, { epoch: "1", offset: 3 })).to.equal(false);
    expect(isEpoch(5)).to.equal(false);
    expect(isOffset(-0)).to.equal(true);
  });
});

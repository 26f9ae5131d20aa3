import { expect } from "chai";
import fc from "fast-check";
import {
  BellwireError,
  grantsCover,
  limits,
  parseFilter,
  parseGrant,
  parseGrants,
  topicMatches,
  type Filter,
  type JsonObject,
  type Scalar,
} from "@bellwire/protocol";
import { smallFilter } from "./arbitraries.js";

const TOPICS = ["Contact_Updated", "Contact_", "Contact", "user.42", "$user", "$session", "a"];
const PATTERNS = [...TOPICS, "*", "Contact*", "Contact_*", "$*", "$us*", "user.*", "a*"];
const topic = fc.constantFrom(...TOPICS);
const grant = fc.record({ topic: fc.constantFrom(...PATTERNS), filter: smallFilter });

/** Every value combination that a filter allows, as the data of a message that holds just that. */
function combinations(filter: Filter): JsonObject[] {
  let all: JsonObject[] = [{}];
  for (const [key, value] of Object.entries(filter)) {
    all = all.flatMap((data) => (Array.isArray(value) ? (value as Scalar[]) : [value as Scalar]).map((one) => ({ ...data, [key]: one })));
  }
  return all;
}

/** Brute force: one grant allows each single combination of the request. */
function coveredByOne(grant: { topic: string; filter: Filter }, topic: string, filter: Filter): boolean {
  const named = grant.topic.endsWith("*") ? topic[0] !== "$" && topic.indexOf(grant.topic.slice(0, -1)) === 0 : grant.topic === topic;
  if (!named) return false;
  return combinations(filter).every((data) =>
    Object.entries(grant.filter).every(([key, value]) => {
      const allowed = Array.isArray(value) ? (value as Scalar[]) : [value as Scalar];
      return Object.keys(data).includes(key) && allowed.some((one) => one === data[key]);
    }),
  );
}

describe("a grant", () => {
  it("grantsCover a request exactly when it allows each of its combinations", () => {
    fc.assert(
      fc.property(fc.array(grant, { maxLength: 4 }), topic, smallFilter, (grants, topic, filter) => {
        const expected = grants.some((one) => coveredByOne(one, topic, filter));
        expect(grantsCover(parseGrants(grants), topic, parseFilter(filter))).to.equal(expected);
      }),
      { numRuns: 10_000 },
    );
  });

  it("grantsCover a request made of its own values, and any narrower one", () => {
    fc.assert(
      fc.property(smallFilter, smallFilter, (filter, more) => {
        const part = Object.fromEntries(
          Object.entries(filter).map(([key, value]) => [key, Array.isArray(value) ? value.slice(0, 1) : value]),
        );
        const parsed = [parseGrant({ topic: "a", filter })];
        expect(grantsCover(parsed, "a", parseFilter(filter))).to.equal(true);
        expect(grantsCover(parsed, "a", parseFilter({ ...more, ...part }))).to.equal(true);
      }),
    );
  });

  it("is never joined with another: what two of them allow together, none allows", () => {
    const grants = parseGrants([
      { topic: "a", filter: { id: 1 } },
      { topic: "a", filter: { id: 2 } },
    ]);
    expect(grantsCover(grants, "a", parseFilter({ id: 1 }))).to.equal(true);
    expect(grantsCover(grants, "a", parseFilter({ id: [1, 2] }))).to.equal(false);
    expect(grantsCover(grants, "a", parseFilter({}))).to.equal(false);
  });

  it("with a wildcard never grantsCover a name that begins with $", () => {
    for (const pattern of ["*", "$*", "$user*"]) {
      for (const name of ["$user", "$session", "$", "$anything"]) expect(topicMatches(pattern, name), `${pattern} ${name}`).to.equal(false);
    }
    expect(topicMatches("a$*", "a$b")).to.equal(true);
  });

  it("grantsCover everything on its topic without a filter", () => {
    for (const filter of [undefined, null, {}, []]) {
      expect(grantsCover([parseGrant({ topic: "a", filter })], "a", parseFilter({}))).to.equal(true);
    }
  });

  it("is refused where it is malformed", () => {
    const bad: unknown[] = [
      null,
      5,
      "a",
      [1],
      {},
      { topic: "" },
      { topic: "a*b" },
      { topic: "**" },
      { topic: ["a"] },
      { topic: "a", filter: { id: [] } },
    ];
    for (const value of bad)
      expect(() => parseGrant(value), JSON.stringify(value))
        .to.throw(BellwireError)
        .with.property("code", "bad-request");
    for (const value of [null, {}, "a", 5, undefined]) expect(() => parseGrants(value)).to.throw(BellwireError);
    const many = Array.from({ length: limits.grants + 1 }, () => ({ topic: "a" }));
    expect(() => parseGrants(many)).to.throw(BellwireError);
    expect(parseGrants(many.slice(1))).to.have.length(limits.grants);
  });
});

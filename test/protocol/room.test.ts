import { expect } from "chai";
import fc from "fast-check";
import { filterMatches, parseFilter, roomFor, roomsOf, shapeOf, type Filter, type JsonObject } from "@bellwire/protocol";
import { data, filter, singleFilter, smallFilter, smallScalar, topic } from "./arbitraries.js";

function rooms(topic: string, filter: Filter): string[] {
  const parsed = parseFilter(filter);
  return roomsOf(shapeOf(topic, parsed), parsed);
}

describe("rooms", () => {
  it("reach a subscription exactly when its filter matches, for any filter and data", () => {
    fc.assert(
      fc.property(topic, fc.oneof(filter, smallFilter), data, (topic, filter, data) => {
        const parsed = parseFilter(filter);
        const shape = shapeOf(topic, parsed);
        const room = roomFor(shape, data);
        expect(room !== undefined && roomsOf(shape, parsed).includes(room)).to.equal(filterMatches(parsed, data));
      }),
      { numRuns: 10_000 },
    );
  });

  it("reach it likewise where the data is made to lie close", () => {
    const close = smallFilter.chain((filter) =>
      fc
        .record(Object.fromEntries(Object.keys(filter).map((key) => [key, smallScalar])))
        .map((data) => ({ filter, data: data as JsonObject })),
    );
    fc.assert(
      fc.property(close, ({ filter, data }) => {
        const parsed = parseFilter(filter);
        const shape = shapeOf("t", parsed);
        const room = roomFor(shape, data);
        expect(room !== undefined && roomsOf(shape, parsed).includes(room)).to.equal(filterMatches(parsed, data));
      }),
      { numRuns: 5000 },
    );
  });

  it("are one per value combination, all different", () => {
    fc.assert(
      fc.property(topic, filter, (topic, filter) => {
        const parsed = parseFilter(filter);
        const names = rooms(topic, filter);
        expect(names).to.have.length(parsed.values.reduce((product, allowed) => product * allowed.length, 1));
        expect(new Set(names).size).to.equal(names.length);
      }),
    );
  });

  it("of different single-valued filters are never shared", () => {
    fc.assert(
      fc.property(singleFilter, singleFilter, (one, other) => {
        const same = parseFilter(one).canonical === parseFilter(other).canonical;
        const shared = rooms("t", one).some((room) => rooms("t", other).includes(room));
        expect(shared).to.equal(same);
      }),
      { numRuns: 5000 },
    );
  });

  it("are shared by any-of filters exactly for the combinations that both allow", () => {
    fc.assert(
      fc.property(smallFilter, smallFilter, (one, other) => {
        const [a, b] = [parseFilter(one), parseFilter(other)];
        fc.pre(a.keys.join("\0") === b.keys.join("\0"));
        const both = a.values.reduce((product, allowed, i) => product * allowed.filter((value) => b.values[i]?.includes(value)).length, 1);
        const shared = rooms("t", one).filter((room) => rooms("t", other).includes(room));
        expect(shared).to.have.length(both);
      }),
      { numRuns: 5000 },
    );
  });

  it("are never shared between topics", () => {
    fc.assert(
      fc.property(topic, topic, filter, filter, (one, other, a, b) => {
        fc.pre(one !== other);
        const taken = new Set(rooms(one, a));
        expect(rooms(other, b).filter((room) => taken.has(room))).to.deep.equal([]);
        expect(rooms(other, a).filter((room) => taken.has(room))).to.deep.equal([]);
      }),
    );
  });

  it("are never shared between topics, also where topic and keys run into each other", () => {
    const short = fc.constantFrom("a", "ab", "b", "aab", "a:", "a-1", "a.");
    const keys = fc.uniqueArray(fc.constantFrom("", "a", "b", "ab", "[", '["a"]', ",", "1", "a,b"), { maxLength: 3 });
    const single = keys.map((names): Filter => Object.fromEntries(names.map((name) => [name, 1])));
    fc.assert(
      fc.property(short, single, short, single, (one, a, other, b) => {
        const same = one === other && parseFilter(a).canonical === parseFilter(b).canonical;
        expect(rooms(one, a)[0] === rooms(other, b)[0]).to.equal(same);
      }),
      { numRuns: 5000 },
    );
  });

  it("are named by what the data holds itself", () => {
    const parsed = parseFilter({ id: 5 });
    expect(roomFor(shapeOf("t", parsed), Object.create({ id: 5 }) as JsonObject)).to.equal(undefined);
  });

  it("can't be forged by keys or values that hold the separators", () => {
    const tricky: Filter[] = [
      { a: 1, b: 2 },
      { "a,b": "1,2" },
      { 'a","b': "1,2" },
      { a: "1,2", b: "" },
      { a: "1", b: "2" },
      { a: '1","2' },
      { 'a"],1': 1 },
      { "a\\": '"' },
    ];
    const names = tricky.flatMap((filter) => [...rooms("t", filter), ...rooms("t:", filter)]);
    expect(new Set(names).size).to.equal(names.length);
  });

  it("have equal prefixes exactly for filters of one shape", () => {
    fc.assert(
      fc.property(smallFilter, smallFilter, (one, other) => {
        const [a, b] = [shapeOf("t", parseFilter(one)), shapeOf("t", parseFilter(other))];
        expect(a.prefix === b.prefix).to.equal(JSON.stringify(a.keys) === JSON.stringify(b.keys));
      }),
    );
  });
});

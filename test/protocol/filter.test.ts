import { expect } from "chai";
import fc from "fast-check";
import {
  BellwireError,
  filterMatches,
  filterObject,
  isScalar,
  limits,
  parseFilter,
  scalarText,
  singleValues,
  type Filter,
  type JsonObject,
  type Scalar,
} from "@bellwire/protocol";
import { data, filter, scalar, smallFilter } from "./arbitraries.js";

/** The sentence of the contract, word for word, without any of the parsed form's shortcuts. */
function matchesByTheBook(filter: Filter, data: JsonObject): boolean {
  return Object.entries(filter).every(([key, wanted]) => {
    const value = Object.entries(data).find(([name]) => name === key)?.[1];
    const anyOf = Array.isArray(wanted) ? (wanted as Scalar[]) : [wanted as Scalar];
    if (typeof value === "number" && Math.abs(value) > 2 ** 53 - 1) return false;
    if (typeof value === "string" && Buffer.from(value).toString() !== value) return false;
    return anyOf.some((one) => one === value);
  });
}

describe("a filter", () => {
  it("matches exactly the data that the contract's sentence describes", () => {
    fc.assert(
      fc.property(fc.oneof(filter, smallFilter), data, (filter, data) => {
        expect(filterMatches(parseFilter(filter), data)).to.equal(matchesByTheBook(filter, data));
      }),
      { numRuns: 5000 },
    );
  });

  it("matches the data that it was made from", () => {
    fc.assert(
      fc.property(filter, data, (filter, data) => {
        const first = Object.entries(filter).map(([key, value]) => [key, Array.isArray(value) ? value[0] : value]);
        expect(filterMatches(parseFilter(filter), { ...data, ...Object.fromEntries(first) })).to.equal(true);
      }),
    );
  });

  it("has one canonical form, whatever the order and repetition of keys and values", () => {
    const shuffled = filter.chain((filter) =>
      fc
        .tuple(fc.shuffledSubarray(Object.entries(filter), { minLength: Object.keys(filter).length }), fc.func(fc.nat({ max: 7 })))
        .map(([entries, pick]) => {
          const again = entries.map(([key, value]): [string, Filter[string]] => {
            const list = Array.isArray(value) ? (value as Scalar[]) : [value as Scalar];
            const twice = [...list, ...list].sort((a, b) => pick(scalarText(a)) - pick(scalarText(b)));
            return [key, twice];
          });
          return { filter, again: Object.fromEntries(again) };
        }),
    );
    fc.assert(
      fc.property(shuffled, ({ filter, again }) => {
        expect(parseFilter(again)).to.deep.equal(parseFilter(filter));
      }),
    );
  });

  it("reads its own canonical form, and its plain object, back as itself", () => {
    fc.assert(
      fc.property(filter, (filter) => {
        const parsed = parseFilter(filter);
        expect(parseFilter(JSON.parse(parsed.canonical))).to.deep.equal(parsed);
        expect(parseFilter(filterObject(parsed))).to.deep.equal(parsed);
      }),
    );
  });

  it("means something else when its canonical form differs: some data tells the two apart", () => {
    fc.assert(
      fc.property(smallFilter, smallFilter, (one, other) => {
        const [a, b] = [parseFilter(one), parseFilter(other)];
        fc.pre(a.canonical !== b.canonical);
        const witnesses = [...samples(one), ...samples(other)];
        expect(witnesses.some((data) => filterMatches(a, data) !== filterMatches(b, data))).to.equal(true);
      }),
      { numRuns: 2000 },
    );
  });

  it("tells a resync's callback its single values only", () => {
    expect(singleValues(parseFilter({ id: 5, type: ["a", "b"], kind: ["x"] }))).to.deep.equal({ id: 5, kind: "x" });
  });

  it("counts undefined, null and PHP's empty array as the filter that matches all", () => {
    for (const value of [undefined, null, {}, []]) expect(parseFilter(value).canonical).to.equal("{}");
  });

  it("holds scalars equal exactly when === does", () => {
    fc.assert(
      fc.property(scalar, scalar, (a, b) => {
        expect(scalarText(a) === scalarText(b)).to.equal(a === b);
      }),
    );
    expect(scalarText(-0)).to.equal(scalarText(0));
  });
});

/** For each value combination, the smallest data that holds it, and the same with one value made strange. */
function samples(filter: Filter): JsonObject[] {
  let all: JsonObject[] = [{}];
  for (const [key, value] of Object.entries(filter)) {
    const list = Array.isArray(value) ? (value as Scalar[]) : [value as Scalar];
    all = all.flatMap((data) => list.map((one) => ({ ...data, [key]: one })));
  }
  return all;
}

describe("a hostile filter", () => {
  const deep = (): unknown => {
    let value: unknown = 1;
    for (let i = 0; i < 10_000; i++) value = { a: value };
    return value;
  };
  const range = (length: number): number[] => Array.from({ length }, (_, i) => i);
  const hostile: Record<string, unknown> = {
    "a string": "id",
    "a number": 5,
    "a list": [1],
    "__proto__ as a key": JSON.parse('{"__proto__": 1}'),
    "constructor as a key": { constructor: 1 },
    "prototype as a key": { prototype: 1 },
    "a huge key": { ["k".repeat(1_000_000)]: 1 },
    "a huge string": { id: "x".repeat(10_000_000) },
    "a string just over the bound": { id: "x".repeat(limits.filterStringLength + 1) },
    NaN: { id: NaN },
    Infinity: { id: Infinity },
    "2^53": { id: 2 ** 53 },
    "2^53 + 1": JSON.parse('{"id": 9007199254740993}'),
    "-(2^53)": { id: -(2 ** 53) },
    "a bigint": { id: 5n },
    undefined: { id: undefined },
    "a function": { id: () => 1 },
    "a symbol": { id: Symbol("id") },
    "a lone high surrogate": { id: "\ud800" },
    "a lone low surrogate": { id: "a\udc00b" },
    "a lone surrogate as a key": { "\udfff": 1 },
    "a nested object": { id: { a: 1 } },
    "a deeply nested object": { id: deep() },
    "a nested list": { id: [[1]] },
    "an empty list": { id: [] },
    "an object in a list": { id: [1, {}] },
    "a hole in a list": { id: new Array(3) },
    "9 keys": Object.fromEntries(range(9).map((i) => [`k${i}`, 1])),
    "10,000 keys": Object.fromEntries(range(10_000).map((i) => [`k${i}`, 1])),
    "257 values": { id: range(257) },
    "a million values": { id: range(1_000_000) },
    "a million times the same value": { id: new Array(1_000_000).fill(1) },
    "a sparse list of 2^32 - 1": { id: new Array(2 ** 32 - 1) },
    "17 x 16 combinations": { a: range(17), b: range(16) },
    "256^8 combinations": Object.fromEntries(range(8).map((i) => [`k${i}`, range(256)])),
    "256 long strings": { id: range(256).map((i) => `${i}`.padEnd(1000, "x")) },
    "a Map": { id: new Map() },
    "a Date": { id: new Date(0) },
  };
  for (const [name, value] of Object.entries(hostile)) {
    it(`is refused at once: ${name}`, () => {
      const start = process.hrtime.bigint();
      const error = thrownBy(() => parseFilter(value));
      const ms = Number(process.hrtime.bigint() - start) / 1e6;
      expect(error).to.be.instanceOf(BellwireError);
      expect((error as BellwireError).code).to.equal("bad-request");
      expect((error as BellwireError).message.length, "the message doesn't echo the input at length").to.be.below(200);
      expect(ms, "milliseconds").to.be.below(100);
    });
  }

  it("is either refused with bad-request or parsed, never anything else, for any value at all", () => {
    const any = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSparseArray: true,
      withNullPrototype: true,
      key: fc.string({ unit: "binary" }),
    });
    fc.assert(
      fc.property(fc.oneof(any, fc.dictionary(fc.string(), any)), (value) => {
        try {
          const parsed = parseFilter(value);
          expect(parsed.canonical).to.equal(parseFilter(JSON.parse(parsed.canonical)).canonical);
        } catch (error) {
          expect(error).to.be.instanceOf(BellwireError);
          expect((error as BellwireError).code).to.equal("bad-request");
        }
      }),
      { numRuns: 3000 },
    );
  });

  it("does no more work than its bounds allow: values beyond them are never looked at", () => {
    let reads = 0;
    const counted = <T extends object>(target: T): T =>
      new Proxy(target, {
        get: (object, key, receiver) => {
          reads++;
          return Reflect.get(object, key, receiver) as unknown;
        },
      });
    const values = (): number[] => counted(range(100_000));
    const source = counted(Object.fromEntries(range(8).map((i) => [`k${i}`, values()])));
    expect(() => parseFilter(source)).to.throw(BellwireError);
    expect(reads).to.be.below(2 * limits.filterCombinations * limits.filterKeys);
  });

  it("accepts what is just within every bound", () => {
    const wide = Object.fromEntries(range(8).map((i) => [`k${i}`, [0, 1]]));
    expect(parseFilter(wide).values.flat()).to.have.length(16);
    expect(parseFilter({ id: range(256) }).values[0]).to.have.length(256);
    expect(parseFilter({ id: "x".repeat(limits.filterStringLength) }).keys).to.deep.equal(["id"]);
    expect(parseFilter({ ["k".repeat(limits.filterKeyLength)]: 2 ** 53 - 1 }).values).to.deep.equal([[2 ** 53 - 1]]);
  });

  it("never matches through a prototype", () => {
    for (const key of ["toString", "hasOwnProperty", "valueOf"]) {
      expect(filterMatches(parseFilter({ [key]: null }), {})).to.equal(false);
    }
    const data = JSON.parse('{"__proto__": {"id": 5}}') as JsonObject;
    expect(filterMatches(parseFilter({ id: 5 }), data)).to.equal(false);
    expect(filterMatches(parseFilter({ id: 5 }), Object.create({ id: 5 }) as JsonObject)).to.equal(false);
  });

  it("is not a scalar where it only looks like one", () => {
    for (const value of [Object("a"), Object(1), undefined, NaN, 5n, Symbol.iterator, [], () => 1]) expect(isScalar(value)).to.equal(false);
  });
});

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

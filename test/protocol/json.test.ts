import { expect } from "chai";
import fc from "fast-check";
import { asObject, compareCodePoints, isWellFormed, utf8Length } from "@bellwire/protocol";

const wellFormed = fc.string({ unit: "binary", maxLength: 30 });
/** Strings of any UTF-16 units, lone surrogates included. */
const units = fc
  .array(
    fc.oneof(fc.nat({ max: 0xffff }), fc.integer({ min: 0xd800, max: 0xdfff }), fc.constantFrom(0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0xe000)),
    { maxLength: 20 },
  )
  .map((codes) => String.fromCharCode(...codes));
/** Near the places where UTF-16 order and code point order part. */
const edges = fc
  .array(fc.constantFrom("a", "\u07ff", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{1f514}", "\u{10ffff}"), { maxLength: 6 })
  .map((parts) => parts.join(""));

describe("utf8Length", () => {
  it("counts the bytes that a UTF-8 encoder writes, also for lone surrogates", () => {
    fc.assert(
      fc.property(fc.oneof(wellFormed, units, edges), (text) => {
        expect(utf8Length(text)).to.equal(Buffer.byteLength(text));
      }),
      { numRuns: 5000 },
    );
  });
});

describe("isWellFormed", () => {
  it("is true exactly for strings that survive UTF-8", () => {
    fc.assert(
      fc.property(fc.oneof(wellFormed, units, edges), (text) => {
        expect(isWellFormed(text)).to.equal(Buffer.from(text).toString() === text);
      }),
      { numRuns: 5000 },
    );
  });
});

describe("compareCodePoints", () => {
  it("orders strings as their UTF-8 bytes do", () => {
    fc.assert(
      fc.property(fc.oneof(wellFormed, edges), fc.oneof(wellFormed, edges), (a, b) => {
        expect(Math.sign(compareCodePoints(a, b))).to.equal(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
      { numRuns: 5000 },
    );
  });

  it("is a total order on any strings", () => {
    fc.assert(
      fc.property(units, units, units, (a, b, c) => {
        expect(Math.sign(compareCodePoints(a, b)) + Math.sign(compareCodePoints(b, a))).to.equal(0);
        expect(compareCodePoints(a, b) === 0).to.equal(a === b);
        if (compareCodePoints(a, b) <= 0 && compareCodePoints(b, c) <= 0) expect(compareCodePoints(a, c)).to.be.at.most(0);
      }),
    );
  });
});

describe("asObject", () => {
  it("reads objects, PHP's empty array as {}, and nothing else", () => {
    const object = { a: 1 };
    expect(asObject(object)).to.equal(object);
    expect(asObject([])).to.deep.equal({});
    for (const value of [[1], null, undefined, 5, "a", true, () => 1]) expect(asObject(value)).to.equal(undefined);
  });
});

import { expect } from "chai";
import fc from "fast-check";
import { grantCovers, parseFilter, parseGrant, type Filter } from "@bellwire/protocol";
import { mergeGrants } from "../../emitter/src/endpoint/merge-grants.js";

const pair = (topic: string, filter: Filter): { topic: string; filter: ReturnType<typeof parseFilter> } => ({
  topic,
  filter: parseFilter(filter),
});
const merged = (...pairs: ReturnType<typeof pair>[]): unknown[] => mergeGrants(pairs).map(({ grant }) => grant);

describe("merging grants", () => {
  it("lists the values of the one key that differs", () => {
    expect(merged(pair("a", { id: 2 }), pair("a", { id: 1 }), pair("a", { id: [1, 3] }))).to.deep.equal([
      { topic: "a", filter: { id: [1, 2, 3] } },
    ]);
    expect(merged(pair("a", { id: 1, type: "x" }), pair("a", { id: 2, type: "x" }), pair("a", { id: 3, type: "y" }))).to.deep.equal([
      { topic: "a", filter: { id: [1, 2], type: "x" } },
      { topic: "a", filter: { id: 3, type: "y" } },
    ]);
  });

  it("keeps topics, shapes and whole topics apart", () => {
    expect(merged(pair("a", { id: 1 }), pair("b", { id: 1 }), pair("a", { no: 1 }), pair("a", {}), pair("a", {}))).to.deep.equal([
      { topic: "a", filter: { id: 1 } },
      { topic: "b", filter: { id: 1 } },
      { topic: "a", filter: { no: 1 } },
      { topic: "a" },
    ]);
  });

  it("stays within what a filter may hold", () => {
    const grants = mergeGrants(Array.from({ length: 600 }, (_, id) => pair("a", { id })));
    expect(grants.map(({ pairs }) => pairs.length)).to.deep.equal([256, 256, 88]);
    for (const { grant } of grants) parseGrant(grant);
  });

  it("covers each pair, and grants no single pair that nobody asked for", () => {
    const value = fc.constantFrom<string | number | boolean | null>(1, 2, "1", true, null);
    const filter = fc.dictionary(fc.constantFrom("x", "y", "z"), fc.oneof(value, fc.uniqueArray(value, { minLength: 1, maxLength: 3 })), {
      maxKeys: 3,
    });
    const pairs = fc.array(fc.record({ topic: fc.constantFrom("a", "b"), filter }), { maxLength: 20 });
    fc.assert(
      fc.property(pairs, value, value, value, (list, x, y, z) => {
        const asked = list.map(({ topic, filter }) => pair(topic, filter));
        const grants = mergeGrants(asked);
        for (const { grant, pairs } of grants) {
          for (const i of pairs)
            expect(grantCovers(parseGrant(grant), asked[i]?.topic as string, (asked[i] as (typeof asked)[0]).filter)).to.equal(true);
        }
        expect(grants.flatMap(({ pairs }) => pairs).sort((a, b) => a - b)).to.deep.equal(asked.map((_, i) => i));
        const point = parseFilter({ x, y, z });
        const before = asked.some(({ topic, filter }) => grantCovers({ topic, filter }, "a", point));
        const after = grants.some(({ grant }) => grantCovers(parseGrant(grant), "a", point));
        expect(after).to.equal(before);
      }),
    );
  });
});

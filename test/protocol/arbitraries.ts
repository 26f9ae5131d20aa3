import fc from "fast-check";
import type { Filter, JsonObject, Scalar } from "@bellwire/protocol";

/** Few values and few keys, so that filters and data meet often; with the pairs that are easy to confuse. */
const SMALL: readonly Scalar[] = [
  0,
  1,
  5,
  "",
  "0",
  "5",
  "null",
  "true",
  true,
  false,
  null,
  "a",
  "A",
  "é",
  "e\u0301",
  "\u{1f514}",
  "\uffff",
];
const KEYS = ["id", "type", "a", "b", "é", "0", "a,b", '"', "toString"];

export const smallScalar: fc.Arbitrary<Scalar> = fc.constantFrom(...SMALL);
export const smallKey: fc.Arbitrary<string> = fc.constantFrom(...KEYS);

export const wellFormedString: fc.Arbitrary<string> = fc.string({ unit: "binary", maxLength: 20 });

/** Any value that a filter may hold. */
export const scalar: fc.Arbitrary<Scalar> = fc.oneof(
  smallScalar,
  wellFormedString,
  fc.maxSafeInteger(),
  fc.double({ min: -Number.MAX_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER, noNaN: true }),
);

const anyKey: fc.Arbitrary<string> = fc
  .oneof({ weight: 4, arbitrary: smallKey }, wellFormedString)
  .filter((key) => !["__proto__", "constructor", "prototype"].includes(key));

function filterOf(key: fc.Arbitrary<string>, value: fc.Arbitrary<Scalar>, widest: number): fc.Arbitrary<Filter> {
  const allowed = widest === 1 ? value : fc.oneof(value, fc.array(value, { minLength: 1, maxLength: widest }));
  return fc.uniqueArray(fc.tuple(key, allowed), { selector: ([name]) => name, maxLength: 4 }).map((pairs) => Object.fromEntries(pairs));
}

/** At most 4 keys of at most 4 values: 256 combinations, just within the bound. */
export const filter: fc.Arbitrary<Filter> = filterOf(anyKey, scalar, 4);
/** Filters over few keys and values, for tests that need many hits. */
export const smallFilter: fc.Arbitrary<Filter> = filterOf(smallKey, smallScalar, 4);
/** Filters with one value per key: one combination, hence one room. */
export const singleFilter: fc.Arbitrary<Filter> = filterOf(smallKey, smallScalar, 1);

const incomparable: fc.Arbitrary<unknown> = fc.constantFrom<unknown>(
  [],
  [5],
  {},
  { id: 5 },
  2 ** 53,
  -(2 ** 53),
  1e300,
  "\ud800",
  "a\udc00",
);

/** Message data: mostly what filters see, sometimes what they must not. */
export const data: fc.Arbitrary<JsonObject> = fc
  .uniqueArray(fc.tuple(anyKey, fc.oneof({ weight: 5, arbitrary: smallScalar }, scalar, incomparable)), {
    selector: ([name]) => name,
    maxLength: 8,
  })
  .map((pairs) => Object.fromEntries(pairs));

export const topic: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom("Contact_Updated_Topic", "Contact_", "Contact", "user.42", "a", "a:b", "$user"),
  fc.stringMatching(/^[A-Za-z0-9_.:$-]{1,128}$/),
);

import {
  compareCodePoints,
  filterObject,
  limits,
  scalarText,
  utf8Length,
  type Grant,
  type ParsedFilter,
  type Scalar,
} from "@bellwire/protocol";

/** One pair that may be subscribed. */
export interface Pair {
  readonly topic: string;
  readonly filter: ParsedFilter;
}

/** A grant, and which of the given pairs it covers, by place. */
export interface MergedGrant {
  readonly grant: Grant;
  readonly pairs: readonly number[];
}

interface Gathering {
  readonly topic: string;
  readonly filter: ParsedFilter;
  /** Where in `filter.keys` the pairs differ; -1 for a filter without keys. */
  readonly axis: number;
  readonly allowed: Map<string, Scalar>;
  readonly pairs: number[];
  /** Bytes of its canonical form, about. */
  bytes: number;
}

/**
 * Says the same in fewer grants: pairs that differ in one key's values only become one grant that lists them. A page of 500
 * records fits into one token so; exactly the pairs' union is granted, never more.
 */
export function mergeGrants(pairs: readonly Pair[]): MergedGrant[] {
  const axes = chooseAxes(pairs);
  const open = new Map<string, Gathering>();
  const all: Gathering[] = [];
  pairs.forEach(({ topic, filter }, i) => {
    const axis = axes.get(shapeName(topic, filter)) as number;
    const name = JSON.stringify([topic, filter.keys, filter.values.map((values, k) => (k === axis ? null : values))]);
    const own = (filter.values[axis] ?? []).map((value) => [scalarText(value), value] as const);
    let gathering = open.get(name);
    if (gathering === undefined || !fits(gathering, own)) {
      gathering = { topic, filter, axis, allowed: new Map(), pairs: [], bytes: utf8Length(filter.canonical) };
      open.set(name, gathering);
      all.push(gathering);
    }
    for (const [text, value] of own) {
      if (!gathering.allowed.has(text)) gathering.bytes += utf8Length(text) + 1;
      gathering.allowed.set(text, value);
    }
    gathering.pairs.push(i);
  });
  return all.map((gathering) => ({ grant: grantOf(gathering), pairs: gathering.pairs }));
}

/** For each topic and key tuple, the key with the most different values: merging along it saves the most. */
function chooseAxes(pairs: readonly Pair[]): Map<string, number> {
  const seen = new Map<string, Set<string>[]>();
  for (const { topic, filter } of pairs) {
    const name = shapeName(topic, filter);
    let sets = seen.get(name);
    if (sets === undefined) seen.set(name, (sets = filter.keys.map(() => new Set<string>())));
    filter.values.forEach((values, k) => sets[k]?.add(JSON.stringify(values)));
  }
  return new Map(
    [...seen].map(([name, sets]) => [
      name,
      sets.reduce((best, set, k) => (set.size > (sets[best]?.size ?? 0) ? k : best), sets.length > 0 ? 0 : -1),
    ]),
  );
}

function shapeName(topic: string, filter: ParsedFilter): string {
  return JSON.stringify([topic, filter.keys]);
}

/** Would the grant still be a filter within its bounds with these values too, and small enough for a token? Bytes are the stricter measure. */
function fits({ filter, axis, allowed, bytes }: Gathering, own: readonly (readonly [string, Scalar])[]): boolean {
  const added = own.filter(([text]) => !allowed.has(text));
  const others = filter.values.reduce((product, values, k) => (k === axis ? product : product * values.length), 1);
  const longer = added.reduce((sum, [text]) => sum + utf8Length(text) + 1, bytes);
  return (allowed.size + added.length) * others <= limits.filterCombinations && longer <= limits.filterLength;
}

function grantOf({ topic, filter, axis, allowed }: Gathering): Grant {
  if (filter.keys.length === 0) return { topic };
  const merged = [...allowed].sort(([a], [b]) => compareCodePoints(a, b)).map(([, value]) => value);
  return { topic, filter: filterObject({ ...filter, values: filter.values.map((values, k) => (k === axis ? merged : values)) }) };
}

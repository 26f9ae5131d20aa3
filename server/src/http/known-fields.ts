import { BellwireError } from "@bellwire/protocol";

/** How many letters may differ for a name to be meant. */
const MOST_EDITS = 2;
/** Longer names are no typing errors of ours: nothing is compared for them. */
const MOST_LENGTH = 40;

/**
 * Refuses fields that the API does not have: a misspelled one, read over, would do something else than was asked for.
 * @param what the object, as the sentence names it, e.g. "a message"
 * @throws BellwireError `bad-request`, naming the field and the nearest known one
 */
export function requireKnown(source: object, known: readonly string[], what: string): void {
  const unknown = Object.keys(source).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const near = nearest(unknown, known);
  const remedy = near === undefined ? `its fields are ${known.join(", ")}` : `did you mean "${near}"?`;
  const shown = JSON.stringify(unknown.length <= MOST_LENGTH ? unknown : `${unknown.slice(0, MOST_LENGTH)}...`);
  throw new BellwireError("bad-request", `${shown} is no field of ${what}: ${remedy}`);
}

/** The known name that was most likely meant, whatever its case and underscores; undefined where none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > MOST_LENGTH) return undefined;
  const plain = plainly(name);
  const ranked = known
    .map((one) => ({ one, edits: distance(plain, plainly(one)) }))
    // Of a short name most letters have to be right.
    .filter(({ one, edits }) => edits <= Math.min(MOST_EDITS, Math.floor(Math.min(one.length, name.length) / 2)))
    .sort((a, b) => a.edits - b.edits);
  return ranked[0]?.one;
}

function plainly(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, "");
}

/** Letters to add, leave out, replace or swap with the next one. */
function distance(a: string, b: string): number {
  let [before, last]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, i) => i)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((last[j] as number) + 1, (row[j - 1] as number) + 1, (last[j - 1] as number) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (before[j - 2] as number) + 1);
      row.push(least);
    }
    [before, last] = [last, row];
  }
  return last[b.length] as number;
}

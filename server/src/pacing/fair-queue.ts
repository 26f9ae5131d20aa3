/** Whom something is for, from the widest to the narrowest: `[site, connection]`. All lanes of a queue are of the same depth. */
export type Lane = readonly string[];

interface Node<T> {
  readonly name: string;
  readonly parent: Node<T> | undefined;
  /** Of each child, the one whose turn is next first. */
  readonly children: Map<string, Node<T>>;
  /** Of a lane's end, in their order. */
  readonly items: Set<T>;
  waiting: number;
  busy: number;
}

/**
 * Holds what waits, and gives it out by turns: at each level everybody has their turn after the other, so that nobody with a
 * thousand things keeps one with a single thing waiting; of one and the same in their order. Pure.
 */
export class FairQueue<T extends object> {
  readonly #root: Node<T> = node("", undefined);
  readonly #ends = new Map<T, Node<T>>();
  readonly #busy = new Map<T, Node<T>>();

  get size(): number {
    return this.#root.waiting;
  }

  /** What waits, lane by lane. */
  *items(): Iterable<T> {
    yield* this.#ends.keys();
  }

  /** How much waits in a lane, or in all lanes that begin so. */
  waiting(...lane: Lane): number {
    let at: Node<T> | undefined = this.#root;
    for (const name of lane) at = at?.children.get(name);
    return at?.waiting ?? 0;
  }

  /**
   * Lets something wait, where there is room. Who has most waiting gives way to others, its oldest first.
   * @param most how much may wait at each level: in all, for each name of the first level, and so on; what is left out has no bound
   * @returns what waits no longer for want of room: another thing, or this one
   */
  add(lane: Lane, item: T, most: readonly number[] = []): T | undefined {
    const full = this.#deepestFull(lane, most);
    const givesWay = full === undefined ? undefined : heaviestBelow(full.node, lane, full.level);
    if (givesWay === NEWCOMER) return item;
    const out = givesWay === undefined ? undefined : first(givesWay.items);
    if (out !== undefined) this.delete(out);
    let at = this.#root;
    at.waiting++;
    for (const name of lane) {
      let child = at.children.get(name);
      if (child === undefined) at.children.set(name, (child = node(name, at)));
      child.waiting++;
      at = child;
    }
    at.items.add(item);
    this.#ends.set(item, at);
    return out;
  }

  /** What has waited longest in a lane. */
  first(lane: Lane): T | undefined {
    let at: Node<T> | undefined = this.#root;
    for (const name of lane) at = at?.children.get(name);
    return at === undefined ? undefined : first(at.items);
  }

  #deepestFull(lane: Lane, most: readonly number[]): { node: Node<T>; level: number } | undefined {
    let found: { node: Node<T>; level: number } | undefined;
    let at: Node<T> | undefined = this.#root;
    for (let level = 0; at !== undefined && level <= lane.length; level++) {
      if (at.waiting >= (most[level] ?? Number.POSITIVE_INFINITY)) found = { node: at, level };
      at = at.children.get(lane[level] ?? "");
    }
    return found;
  }

  /** True where it was waiting. */
  delete(item: T): boolean {
    const end = this.#ends.get(item);
    if (end === undefined) return false;
    this.#ends.delete(item);
    end.items.delete(item);
    for (let at: Node<T> | undefined = end; at !== undefined; at = at.parent) at.waiting--;
    prune(end);
    return true;
  }

  /**
   * What is next; it is busy until `ended` is called.
   * @param busy how much may be busy at each level, as in `add`
   */
  next(busy: readonly number[] = []): T | undefined {
    const item = this.#take(this.#root, busy, 0);
    if (item === undefined) return undefined;
    const end = this.#ends.get(item) as Node<T>;
    this.#busy.set(item, end);
    for (let at: Node<T> | undefined = end; at !== undefined; at = at.parent) at.busy++;
    this.delete(item);
    return item;
  }

  #take(at: Node<T>, busy: readonly number[], level: number): T | undefined {
    if (at.waiting === 0 || at.busy >= (busy[level] ?? Number.POSITIVE_INFINITY)) return undefined;
    if (at.children.size === 0) return first(at.items);
    for (const [name, child] of at.children) {
      const item = this.#take(child, busy, level + 1);
      if (item === undefined) continue;
      at.children.delete(name); // behind the others
      at.children.set(name, child);
      return item;
    }
    return undefined;
  }

  ended(item: T): void {
    const end = this.#busy.get(item);
    if (end === undefined) return;
    this.#busy.delete(item);
    for (let at: Node<T> | undefined = end; at !== undefined; at = at.parent) at.busy--;
    prune(end);
  }

  clear(): void {
    for (const item of [...this.#ends.keys()]) this.delete(item);
  }
}

const NEWCOMER = Symbol("newcomer");

/** The lane's end with most waiting below a node, followed from the heaviest to the heaviest; the newcomer counts as waiting. */
function heaviestBelow<T>(from: Node<T>, lane: Lane, level: number): Node<T> | typeof NEWCOMER {
  if (level === lane.length) return NEWCOMER;
  const own = from.children.get(lane[level] as string);
  let heaviest = own;
  let most = (own?.waiting ?? 0) + 1;
  for (const child of from.children.values()) {
    if (child === own || child.waiting <= most) continue;
    heaviest = child;
    most = child.waiting;
  }
  if (heaviest === undefined) return NEWCOMER;
  return heaviest === own ? heaviestBelow(heaviest, lane, level + 1) : endOf(heaviest);
}

function endOf<T>(from: Node<T>): Node<T> {
  let heaviest: Node<T> | undefined;
  for (const child of from.children.values()) if (child.waiting > (heaviest?.waiting ?? 0)) heaviest = child;
  return heaviest === undefined ? from : endOf(heaviest);
}

function node<T>(name: string, parent: Node<T> | undefined): Node<T> {
  return { name, parent, children: new Map(), items: new Set(), waiting: 0, busy: 0 };
}

function prune<T>(end: Node<T>): void {
  for (let at = end; at.parent !== undefined && at.waiting === 0 && at.busy === 0; at = at.parent) at.parent.children.delete(at.name);
}

function first<T>(items: ReadonlySet<T>): T | undefined {
  const [item] = items;
  return item;
}

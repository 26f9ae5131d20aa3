/** What people are called, by id: as they said it last, wherever that came from. */
export class Names {
  readonly #names = new Map<string, string>();
  readonly #onChange: (id: string) => void;

  constructor(onChange: (id: string) => void) {
    this.#onChange = onChange;
  }

  of(id: string): string {
    return this.#names.get(id) ?? "Somebody";
  }

  has(id: string): boolean {
    return this.#names.has(id);
  }

  set(id: string, name: string): void {
    if (this.#names.get(id) === name) return;
    this.#names.set(id, name);
    this.#onChange(id);
  }
}

/** A colour for somebody, the same on every page: degrees on the colour circle. */
export function hueOf(id: string): number {
  let hash = 0;
  for (const character of id) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 360;
  return hash;
}

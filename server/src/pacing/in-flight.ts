/** Asks questions once while they are identical: who asks the same meanwhile gets the same answer. */
export class InFlight<Answer> {
  readonly #asked = new Map<string, Promise<Answer>>();

  /** @param key equal for identical questions */
  ask(key: string, ask: () => Promise<Answer>): Promise<Answer> {
    const asked = this.#asked.get(key);
    if (asked !== undefined) return asked;
    const answer = ask().finally(() => this.#asked.delete(key));
    this.#asked.set(key, answer);
    return answer;
  }
}

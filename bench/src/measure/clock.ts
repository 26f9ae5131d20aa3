/** Microseconds of the machine's monotonic clock: the same in every process. */
export function microseconds(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until a condition holds. Rejects with the sentence when it does not within `ms`. */
export async function until(condition: () => boolean | Promise<boolean>, ms: number, sentence: string): Promise<void> {
  for (const end = Date.now() + ms; !(await condition());) {
    if (Date.now() > end) throw new Error(sentence);
    await sleep(10);
  }
}

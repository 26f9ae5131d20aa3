/** A gap of more than this many milliseconds beyond the interval means that the machine slept. */
const GAP = 30_000;

/** Asked at a steady interval; says whether far more time has passed than that: no timer runs while a laptop sleeps. */
export function createClockJump(interval: number, start: number): (now: number) => boolean {
  let last = start;
  return (now) => {
    const jumped = now - last > interval + GAP;
    last = now;
    return jumped;
  };
}

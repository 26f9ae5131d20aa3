/** A timeout that keeps no Node process alive. Browsers know no such difference. */
export function backgroundTimeout(run: () => void, delay: number): ReturnType<typeof setTimeout> {
  const timer = setTimeout(run, delay);
  (timer as { unref?(): void }).unref?.();
  return timer;
}

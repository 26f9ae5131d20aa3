/** What parts that wait know of time, so that tests can let it pass. Timers don't keep the process. */
export interface Clock {
  /** Epoch milliseconds. It may be set. */
  now(): number;
  /** Milliseconds that never jump. */
  elapsed(): number;
  /** Calls back once; returns how to forget it. */
  after(ms: number, run: () => void): () => void;
  /** Calls back again and again; returns how to stop it. */
  every(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms).unref();
    return () => clearTimeout(timer);
  },
  every(ms, run) {
    const timer = setInterval(run, ms).unref();
    return () => clearInterval(timer);
  },
};

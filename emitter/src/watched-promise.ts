/**
 * A promise that knows whether anybody looks at it, so that a failure which nobody awaits can be reported, and never
 * ends the process as an unhandled rejection.
 */
class WatchedPromise<T> extends Promise<T> {
  observed = false;

  /** What `then` and the like derive are ordinary promises. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  // `await`, `catch`, `finally` and the combinators all come through here, because this is a subclass.
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.observed = true;
    return super.then(onFulfilled, onRejected);
  }
}

/**
 * Hands on `work`. When it settles and nobody has looked by the next turn of the event loop, `unobserved` is told how.
 * It must not throw.
 */
export function watch<T>(work: Promise<T>, unobserved: (outcome: { value: T } | { error: unknown }) => void): Promise<T> {
  const watched = new WatchedPromise<T>((resolve, reject) => work.then(resolve, reject));
  // An await in the caller's same turn registers a little later than this.
  const tell = (outcome: { value: T } | { error: unknown }): void => {
    setImmediate(() => {
      if (!watched.observed) unobserved(outcome);
    });
  };
  Promise.prototype.then.call(
    watched,
    (value) => tell({ value: value as T }),
    (error: unknown) => tell({ error }),
  );
  return watched;
}

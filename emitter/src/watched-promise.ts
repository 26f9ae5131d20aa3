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

/** How work went that nobody looked at. They must not throw. */
export interface Unobserved<T> {
  readonly failed: (error: unknown) => void;
  /** Only where a success needs looking at too. */
  readonly succeeded?: (value: T) => void;
}

/** Hands on `work`. When it settles and nobody has looked by the next turn of the event loop, `unobserved` is told how. */
export function watch<T>(work: Promise<T>, { failed, succeeded }: Unobserved<T>): Promise<T> {
  // An await in the caller's same turn registers a little later than this.
  const later = (tell: () => void): void => {
    setImmediate(() => {
      if (!watched.observed) tell();
    });
  };
  const watched = new WatchedPromise<T>((resolve, reject) =>
    work.then(
      (value) => {
        resolve(value);
        if (succeeded !== undefined) later(() => succeeded(value));
      },
      (error: unknown) => {
        // Observed here, so that it never is an unhandled rejection.
        Promise.prototype.then.call(watched, undefined, () => undefined);
        reject(error);
        later(() => failed(error));
      },
    ),
  );
  return watched;
}

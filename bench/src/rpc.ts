/** What travels between the bench and its processes. */
export type Message =
  | { readonly kind: "call"; readonly id: number; readonly method: string; readonly argument: unknown }
  | { readonly kind: "reply"; readonly id: number; readonly value?: unknown; readonly error?: string }
  | { readonly kind: "note"; readonly name: string; readonly value: unknown };

export type Handlers = Readonly<Record<string, (argument: never) => unknown>>;

/** The child's side: answers calls, and ends with its parent. Says `ready` with a value. */
export function serve(handlers: Handlers, ready: unknown = undefined): void {
  process.on("message", (message: Message) => {
    if (message.kind !== "call") return;
    const { id, method, argument } = message;
    const handler = handlers[method] as ((argument: unknown) => unknown) | undefined;
    Promise.resolve()
      .then(() => {
        if (handler === undefined) throw new Error(`There is no ${method} here`);
        return handler(argument);
      })
      .then(
        (value) => reply({ kind: "reply", id, value }),
        (error: unknown) => reply({ kind: "reply", id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
      );
  });
  // Leaving by exit writes a CPU profile, where one was asked for.
  process.on("disconnect", () => process.exit(0));
  notify("ready", ready);
}

/** Tells the parent something that it did not ask for. */
export function notify(name: string, value: unknown): void {
  reply({ kind: "note", name, value });
}

function reply(message: Message): void {
  // The parent may be ending this process at this very moment.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

/** What the parent passed to `Worker.start`. */
export function readSettings<T>(): T {
  return JSON.parse(process.argv[2] ?? "{}") as T;
}

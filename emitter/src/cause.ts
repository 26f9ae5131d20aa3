/** What an error was caused by, as a text that is never empty. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Of several addresses that were tried, and of the nodes of a Cluster.
  if (error instanceof AggregateError && error.errors.length > 0) return [...new Set(error.errors.map(causeOf))].join(", ");
  const { lastNodeError } = error as { lastNodeError?: unknown };
  // ioredis keeps why no connection to a node came about to itself.
  if (lastNodeError instanceof Error)
    return lastNodeError.message.startsWith("Connection is closed") ? "no node takes connections" : causeOf(lastNodeError);
  return error.message || ((error as NodeJS.ErrnoException).code ?? error.name);
}

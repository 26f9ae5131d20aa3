/**
 * Runs work for a key, one at a time; what is asked for meanwhile is done once more afterwards, with the last argument. However
 * many messages come, a contact is fetched once at a time, and the last fetch begins after the last message.
 */
export function perKey<Key, Argument>(work: (key: Key, argument: Argument) => Promise<void>): (key: Key, argument: Argument) => void {
  const next = new Map<Key, Argument | undefined>();
  const run = async (key: Key, argument: Argument): Promise<void> => {
    for (let current: Argument | undefined = argument; current !== undefined; current = next.get(key)) {
      next.set(key, undefined);
      await work(key, current);
    }
    next.delete(key);
  };
  return (key, argument) => {
    if (next.has(key)) next.set(key, argument);
    else void run(key, argument);
  };
}

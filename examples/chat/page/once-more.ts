/**
 * Runs work one at a time; what is asked for meanwhile is done once more afterwards. So the last run begins after the last call.
 * @param fail told of what the work rejects with
 */
export function onceMore(work: () => Promise<void>, fail: (error: unknown) => void): () => void {
  let running = false;
  let again = false;
  const run = async (): Promise<void> => {
    running = true;
    do {
      again = false;
      await work().catch(fail);
    } while (again);
    running = false;
  };
  return () => {
    if (running) again = true;
    else void run();
  };
}

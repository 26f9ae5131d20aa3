import { uncaught } from "../reporter.js";
import { pageFocus, type Focus } from "./focus.js";

/**
 * Paces what fetches again: one at a time, once more for all that came meanwhile, and not while nobody looks, but then once.
 * @param run what fetches; what it throws is uncaught, and stops nothing
 */
export function createRefetch(run: () => unknown, focus: Focus = pageFocus): () => void {
  let isRunning = false;
  let isDue = false;
  let waiting: (() => void) | undefined;

  async function work(): Promise<void> {
    isRunning = true;
    while (isDue && focus.isFocused()) {
      isDue = false;
      try {
        await run();
      } catch (error) {
        uncaught(error);
      }
    }
    isRunning = false;
    if (isDue) wait();
  }

  function wait(): void {
    waiting ??= focus.subscribe((isFocused) => {
      if (!isFocused) return;
      waiting?.();
      waiting = undefined;
      if (!isRunning) void work();
    });
  }

  return () => {
    isDue = true;
    if (isRunning) return;
    if (focus.isFocused()) void work();
    else wait();
  };
}

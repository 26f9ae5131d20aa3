import { createClockJump } from "./clock-jump.js";

const INTERVAL = 5000;

/** Calls back when the network or the page is back after an absence; maybe several times for one. Returns a function that stops it. */
export function watchWake(onWake: () => void): () => void {
  const stop: (() => void)[] = [];
  const listen = (target: EventTarget, name: string, handler: (event: Event) => void): void => {
    target.addEventListener(name, handler);
    stop.push(() => target.removeEventListener(name, handler));
  };
  const page = typeof document === "undefined" ? undefined : document;
  if (typeof addEventListener === "function") {
    listen(globalThis as unknown as EventTarget, "online", onWake);
    // From the back-forward cache a page returns with its connection closed.
    listen(globalThis as unknown as EventTarget, "pageshow", (event) => {
      if ((event as PageTransitionEvent).persisted) onWake();
    });
  }
  if (page !== undefined) {
    listen(page, "visibilitychange", () => {
      if (page.visibilityState === "visible") onWake();
    });
  }
  const jumped = createClockJump(INTERVAL, Date.now());
  const timer = setInterval(() => {
    // Browsers slow the timers of hidden pages down; their return is heard of through visibilitychange.
    if (jumped(Date.now()) && page?.visibilityState !== "hidden") onWake();
  }, INTERVAL) as unknown as { unref?(): void };
  timer.unref?.();
  stop.push(() => clearInterval(timer as unknown as number));
  return () => stop.splice(0).forEach((end) => end());
}

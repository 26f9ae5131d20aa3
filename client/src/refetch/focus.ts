/** Whether somebody looks at the page. TanStack Query's `focusManager` is one. */
export interface Focus {
  isFocused(): boolean;
  /** Returns a function that stops it. */
  subscribe(listener: (isFocused: boolean) => void): () => void;
}

/** The page itself; outside of one somebody always looks. */
export const pageFocus: Focus = {
  isFocused: () => typeof document === "undefined" || document.visibilityState !== "hidden",
  subscribe(listener) {
    const tell = (): void => listener(pageFocus.isFocused());
    document.addEventListener("visibilitychange", tell);
    return () => document.removeEventListener("visibilitychange", tell);
  },
};

/** What a browser's page has and Node lacks, for the client to listen to. */
export interface PageEvents {
  /** The network is back. */
  online(): void;
  /** The page is looked at again. */
  visible(): void;
}

/** Gives each test the events of a page. */
export function usePage(): PageEvents {
  const target = new EventTarget();
  const page = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const names = ["addEventListener", "removeEventListener", "document"] as const;
  const globals = globalThis as unknown as Record<string, unknown>;
  const before: Record<string, unknown> = {};
  beforeEach(() => {
    for (const name of names) before[name] = globals[name];
    globals.addEventListener = target.addEventListener.bind(target);
    globals.removeEventListener = target.removeEventListener.bind(target);
    globals.document = page;
  });
  afterEach(() => {
    for (const name of names)
      if (before[name] === undefined) delete globals[name];
      else globals[name] = before[name];
  });
  return {
    online: () => void target.dispatchEvent(new Event("online")),
    visible: () => void page.dispatchEvent(new Event("visibilitychange")),
  };
}

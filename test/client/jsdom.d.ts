/** The few names that these tests use; jsdom ships no types of its own. */
declare module "jsdom" {
  export class VirtualConsole {
    on(event: string, listener: (...args: unknown[]) => void): this;
  }
  export class JSDOM {
    constructor(
      html?: string,
      options?: { url?: string; runScripts?: "dangerously" | "outside-only"; pretendToBeVisual?: boolean; virtualConsole?: VirtualConsole },
    );
    readonly window: Window & typeof globalThis & { eval(code: string): unknown };
  }
}

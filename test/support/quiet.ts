import type { Context, RootHookObject } from "mocha";

const LINES = 200;
const held: string[] = [];
const warn = console.warn;

/** Clients and emitters say on the console what goes wrong, and in tests that is what was asked for. */
function quiet(...parts: unknown[]): void {
  if (typeof parts[0] !== "string" || !parts[0].startsWith("bellwire: ")) warn(...parts);
  else if (held.length < LINES) held.push(parts[0]);
}

/** Keeps warnings of our own back, and shows them where a test has failed. Tests that look at the console put their own in its place. */
export const mochaHooks: RootHookObject = {
  beforeAll() {
    console.warn = quiet;
  },
  beforeEach() {
    console.warn = quiet;
    held.length = 0;
  },
  afterEach(this: Context) {
    if (this.currentTest?.state === "failed") for (const line of held) warn(line);
  },
};

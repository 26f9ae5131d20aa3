import { randomUUID } from "node:crypto";
import { readConfig } from "@bellwire/server";
import type { StoresListener } from "../../server/src/stores/stores.js";
import { createStores } from "../../server/src/stores/create-stores.js";
import type { Stores } from "../../server/src/stores/stores.js";
import { requires } from "../house/requires.js";
import { TestRedis } from "../support/redis.js";

/** What a suite is given of one backend. */
export interface Backend {
  /** Whether two relays' stores are one. */
  readonly shared: boolean;
  /** The stores of one more relay. They are closed after the test. */
  open(): Stores;
}

const QUIET: StoresListener = { trouble: () => undefined, up: () => undefined, fatal: () => undefined };

/** One suite for every backend; a third one is a line more here. */
export function onEachBackend(what: string, suite: (backend: Backend) => void): void {
  for (const onRedis of [false, true]) {
    describe(`${what} ${onRedis ? "on Redis" : "in memory"}`, () => {
      let redis: TestRedis | undefined;
      const opened: Stores[] = [];
      before(async function () {
        if (!onRedis) return;
        requires("redis-server", this);
        redis = await TestRedis.start();
      });
      after(() => redis?.stop());
      afterEach(async () => {
        for (const stores of opened.splice(0)) await stores.close();
        await redis?.forget();
      });
      const settings = () => (redis === undefined ? undefined : { target: redis.url, prefix: undefined });
      const open = (): Stores => {
        const stores = createStores({ redis: settings(), settings: readConfig({}).settings, relay: randomUUID(), listener: QUIET });
        opened.push(stores);
        return stores;
      };
      suite({ shared: onRedis, open });
    });
  }
}

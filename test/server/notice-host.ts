import { connectCommands, Keys, type RedisClient, type RedisTarget } from "@bellwire/emitter/redis";
import { parseFilter } from "@bellwire/protocol";
import { MemoryNotices } from "../../server/src/stores/memory/notices.js";
import type { Notice } from "../../server/src/notices/notice.js";
import { Notices, type NoticesOptions } from "../../server/src/notices/notices.js";
import { RedisNotices } from "../../server/src/stores/redis/notices.js";
import { Lease } from "../../server/src/redis/lease.js";
import type { Connection, Subscription } from "../../server/src/connection/connection.js";

export type Settings = NoticesOptions["settings"];

export const ALL: Settings = { events: ["connected", "disconnected", "occupied", "vacated"], topics: ["*"], filters: false };
const nothing = (): void => undefined;
let ids = 0;

export interface Backend {
  readonly events: Notice[];
  down: boolean;
  /** Bodies that came while it was down. */
  refused: number;
  /** The events of one kind. */
  of(event: string): Notice[];
  deliver(body: { events: readonly Notice[] }): Promise<void>;
}

export function backend(): Backend {
  const events: Notice[] = [];
  return {
    events,
    down: false,
    refused: 0,
    of: (event) => events.filter((notice) => notice.event === event),
    async deliver(body) {
      if (this.down) {
        this.refused++;
        throw new Error("503");
      }
      events.push(...(JSON.parse(JSON.stringify(body)) as typeof body).events);
    },
  };
}

export interface Host {
  readonly notices: Notices;
  readonly client: RedisClient | undefined;
  readonly lease: Lease | undefined;
  connect(user: string): Connection;
  end(connection: Connection, reason?: string): void;
  subscribe(connection: Connection, topic: string, filter?: object): Subscription;
  /** Ends without a word, as a relay that is killed does. */
  kill(): void;
}

export function openNoticeHost(
  told: Backend,
  {
    redis,
    relay = "one",
    settings = ALL,
    grace = 60,
  }: { redis?: RedisTarget | undefined; relay?: string; settings?: Settings; grace?: number },
): Host {
  let client: RedisClient | undefined;
  let lease: Lease | undefined;
  let store: MemoryNotices | RedisNotices = new MemoryNotices();
  if (redis !== undefined) {
    client = connectCommands(redis);
    client.on("error", nothing);
    const keys = new Keys();
    lease = new Lease({ redis: client, keys, relay, timing: { life: 400, beat: 50 }, onTrouble: nothing });
    store = new RedisNotices({ redis: client, keys, lease, onTrouble: nothing });
  }
  const timing = { gather: 5, retry: 20, patience: 50, grace, leave: 300 };
  const notices = new Notices({
    settings,
    deliver: (body) => told.deliver(body),
    store,
    onTrouble: nothing,
    onUndelivered: nothing,
    timing,
  });
  return {
    notices,
    client,
    lease,
    connect(user) {
      const id = `socket-${ids++}`;
      const connection = { id, site: "5", user, session: "s", client: "page" } as unknown as Connection;
      notices.opened(connection);
      return connection;
    },
    end(connection, reason = "transport close") {
      notices.gone(connection, reason);
    },
    subscribe(connection, topic, filter = {}) {
      const subscription = { id: topic, topic, filter: parseFilter(filter) } as unknown as Subscription;
      notices.made(connection, subscription);
      return subscription;
    },
    kill() {
      lease?.stop();
      if (store instanceof RedisNotices) store.stop();
      notices.stop();
      client?.disconnect();
    },
  };
}

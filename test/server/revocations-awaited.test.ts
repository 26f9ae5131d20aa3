import { setTimeout as pause } from "node:timers/promises";
import { expect } from "chai";
import { parseCommand, type RevokeCommand } from "@bellwire/emitter/commands";
import type { WireError } from "@bellwire/protocol";
import { Admission } from "../../server/src/auth/admission.js";
import { Keyring } from "../../server/src/auth/keyring.js";
import { Tickets } from "../../server/src/auth/tickets.js";
import { Feeds } from "../../server/src/feed/feeds.js";
import { createLocalHooks } from "../../server/src/hooks/local-hooks.js";
import { Revocations } from "../../server/src/revocations/revocations.js";
import { MemoryLog } from "../../server/src/stores/memory/log.js";
import { MemoryRevocations } from "../../server/src/stores/memory/revocations.js";
import type { RevocationStore } from "../../server/src/stores/revocations.js";
import { connectToken } from "../support/tokens.js";
import { APP_KEY } from "./controlled.js";
import { eventually } from "./stage.js";

describe("revocations that are not known yet", () => {
  /** A store that answers when it is told to. */
  const held = () => {
    const memory = new MemoryRevocations();
    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const store: RevocationStore & { reachable: boolean } = {
      reachable: true,
      start: () => undefined,
      read: async (from, skip) => {
        await answered;
        return memory.read(from, skip);
      },
      restore: (rows) => memory.restore(rows),
    };
    const ignore = (): void => undefined;
    const revocations = new Revocations({ store, every: 60_000, onGarbage: ignore, onTrouble: ignore });
    return { memory, store, revocations, answer };
  };
  const settled = async (work: Promise<unknown>): Promise<boolean> => {
    let done = false;
    void work.finally(() => (done = true));
    await pause(50);
    return done;
  };

  it("are waited for where they can be read, and not where they can't", async () => {
    const { store, revocations, answer } = held();
    store.reachable = false;
    expect(await settled(revocations.current())).to.equal(true);
    store.reachable = true;
    const waiting = revocations.current();
    expect(await settled(waiting)).to.equal(false);
    answer();
    await waiting;
    expect(await settled(revocations.current()), "nothing to wait for").to.equal(true);
    revocations.doubt();
    await revocations.current();
  });

  it("hold back what a feed has read, and who connects", async () => {
    const { memory, revocations, answer } = held();
    memory.add(parseCommand("revoke", "5", { user: "ann" }) as RevokeCommand);
    const log = new MemoryLog();
    await log.start({
      message: () => undefined,
      garbage: () => undefined,
      lost: () => undefined,
      restored: () => undefined,
      renewed: () => undefined,
    });
    const checked = (): Promise<void> => revocations.current();
    const feeds = new Feeds({ log, observe: () => undefined, sockets: () => 0, checked, timing: { open: 20 } });
    const keyring = new Keyring(() => ({ keys: [{ key: APP_KEY }] }));
    const tickets = new Tickets(keyring, { life: 300 });
    const admission = new Admission({ hooks: createLocalHooks(), keyring, tickets, revocations, anonymous: () => true });
    const arrival = { id: "1", client: "page", headers: {} };
    const connecting = admission
      .connect("5", { token: connectToken(APP_KEY, { iat: Date.now() / 1000 - 1 }) }, arrival)
      .catch((error: WireError) => error.code);
    const feed = await feeds.claim("5", "T");
    expect(feed.live).to.equal(false);
    expect(await settled(connecting)).to.equal(false);
    answer();
    expect(await connecting).to.equal("revoked");
    await eventually(() => feed.live, "the feed is live");
    feeds.close();
    await log.close();
  });
});

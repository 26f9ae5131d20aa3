import { expect } from "chai";
import { connectionNotice } from "../../server/src/notices/notice.js";
import type { NoticeStore } from "../../server/src/stores/notices.js";
import { onEachBackend } from "./backends.js";

const PARTY = { site: "5", user: "ann", session: "", client: "page", connection: "one", times: 1 };
const BELL = { site: "5", topic: "Bell", filter: undefined };

onEachBackend("what is kept of notices", ({ shared, open }) => {
  async function start(): Promise<NoticeStore> {
    const { log, notices } = open();
    await log.start({
      message: () => undefined,
      garbage: () => undefined,
      lost: () => undefined,
      restored: () => undefined,
      renewed: () => undefined,
    });
    notices.start({ lost: () => undefined, inherit: () => [] });
    return notices;
  }

  it("turns with the first relay that has subscriptions of a place, and with the last", async () => {
    const one = await start();
    const first = await one.occupy(BELL, true);
    expect(first.turned).to.equal(true);
    expect(first.time).to.be.closeTo(Date.now(), 60_000);
    if (shared) {
      const two = await start();
      expect((await two.occupy(BELL, true)).turned, "the second one").to.equal(false);
      expect((await one.occupy(BELL, false)).turned, "one is left").to.equal(false);
      expect((await two.occupy(BELL, false)).turned).to.equal(true);
    } else expect((await one.occupy(BELL, false)).turned).to.equal(true);
    expect((await one.occupy(BELL, true)).turned, "again").to.equal(true);
  });

  it("keeps places of other sites, topics and filters apart", async () => {
    const one = await start();
    for (const place of [BELL, { ...BELL, site: "6" }, { ...BELL, topic: "Other" }, { ...BELL, filter: { id: 5 } }])
      expect((await one.occupy(place, true)).turned, JSON.stringify(place)).to.equal(true);
  });

  it("never holds up whoever tells it, and ends whatever is still to be written", async () => {
    const one = await start();
    one.setParty(PARTY);
    one.setNotice(connectionNotice("connected", PARTY));
    one.deleteNotice("nobody's");
    one.deleteParty(PARTY.connection);
    await one.close();
    await one.close();
  });

  it("can be asked for a relay that is gone", async () => {
    const one = await start();
    await one.occupy(BELL, true);
    const { turned } = await one.vacateFor("never-there", { ...BELL, topic: "Nobody" });
    expect(turned).to.be.a("boolean");
  });
});

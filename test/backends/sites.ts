import { expect } from "chai";
import type { RawClient } from "../support/socket.js";
import { askTokens, dataOf, OTHER_SITE, SITE, subscribe, type World } from "./world.js";

/** A backend of the examples with several tenants. */
export function sitesApart(here: World): void {
  const topic = "Contact_Updated_Topic";

  /** Somebody who listens to all contacts of their own site. */
  async function listen(cookie: string): Promise<RawClient> {
    const client = await here.connect(cookie);
    await subscribe(client, here.backend, cookie, { topic });
    return client;
  }

  describe("sites", () => {
    it("are the tenant's own, in tokens, publishes and what relays are told to do", async () => {
      const { backend } = here;
      const [ann, gil] = [await backend.signIn("ann"), await backend.signIn("gil")];
      expect((await askTokens(backend, ann)).site).to.equal(SITE);
      expect((await askTokens(backend, gil)).site).to.equal(OTHER_SITE);
      const [atAcme, atOther] = [await listen(ann), await listen(gil)];
      expect(await atOther.hello).to.deep.include({ user: "gil" });
      for (const [cookie, id] of [
        [gil, 1],
        [ann, 2],
        [gil, 3],
        [ann, 4],
      ] as const)
        expect((await backend.post(`/contacts/${id}`, {}, cookie)).body).to.deep.equal({ success: true, told: true });
      const idsOf = (client: RawClient): unknown[] => dataOf(client, topic).map((data) => (data as { id: number }).id);
      await Promise.all([atAcme, atOther].map((client) => client.until(() => idsOf(client).length === 2)));
      expect([idsOf(atAcme), idsOf(atOther)]).to.deep.equal([
        [2, 4],
        [1, 3],
      ]);
      const subscribed = new Promise((resolve) =>
        atOther.socket.on("subscribed", (one: { topic: string; filter: object }) => one.topic.startsWith("$") || resolve(one.filter)),
      );
      expect((await backend.post("/contacts/9/follow", {}, gil)).body).to.deep.equal({ success: true });
      expect(await subscribed).to.deep.equal({ id: 9 });
    });

    it("hold strings only in a token, whatever the backend's ids are", async () => {
      const { token } = await askTokens(here.backend, await here.backend.signIn("gil"));
      const claims = JSON.parse(Buffer.from(token.split(".")[1] as string, "base64url").toString()) as Record<string, unknown>;
      expect(claims).to.deep.include({ aud: "bellwire:connect", site: "12", sub: "gil" });
      expect(claims.sid).to.be.a("string");
    });

    it("are where a hook's visitor belongs: nobody is somebody at another tenant's", async () => {
      const { backend } = here;
      const ask = async (more: object): Promise<Record<string, unknown>> =>
        (await backend.ask({ v: 1, user: "gil", session: "s1", client: "c1", connection: "x1", headers: {}, ...more })).body;
      const about = { event: "subscribe", topic: "News_Topic", filter: {}, params: {} };
      expect(await ask({ ...about, site: OTHER_SITE })).to.deep.equal({});
      expect(await ask({ ...about, site: SITE })).to.have.nested.property("error.code", "forbidden");
      const headers = { cookie: await backend.signIn("gil") };
      expect(await ask({ event: "connect", site: OTHER_SITE, user: "", headers })).to.have.property("user", "gil");
      expect(await ask({ event: "connect", site: SITE, user: "", headers })).to.have.nested.property("error.code", "signed-out");
    });
  });
}

import { expect } from "chai";
import { createRoot } from "solid-js";
import { createSSRApp, h } from "vue";
import { renderToString } from "vue/server-renderer";
import { setDefaultClient } from "@bellwire/client";
import * as lit from "@bellwire/client/lit";
import * as solid from "@bellwire/client/solid";
import * as svelte from "@bellwire/client/svelte";
import * as stores from "@bellwire/client/svelte/store";
import { bellwire, useConnectionState, usePresence, useRpc, useSubscription } from "@bellwire/client/vue";
import { settled, useStage } from "./setup.js";

describe("the bindings on a server", () => {
  const stage = useStage();
  afterEach(() => setDefaultClient(undefined));

  it("render what is known, and subscribe nothing", async () => {
    const client = stage.client();
    setDefaultClient(client);
    const Page = {
      setup() {
        const { status } = useSubscription("T", () => ({ id: 5 }));
        const [{ users }, state, rpc] = [usePresence("T"), useConnectionState(), useRpc()];
        expect(rpc).to.equal(client.rpc);
        return () => h("p", `${status.value} ${users.value.length} ${state.value}`);
      },
    };
    const app = createSSRApp(Page);
    app.use(bellwire(client));
    expect(await renderToString(app)).to.equal("<p>pending 0 idle</p>");

    const { current } = svelte.subscription("T", () => ({ id: 5 }));
    expect([current.status, current.last, svelte.presence("T").current.count, svelte.connectionState().current]).to.deep.equal([
      "pending",
      undefined,
      0,
      "idle",
    ]);

    const read: unknown[] = [];
    stores.subscription("T", { id: 5 }).subscribe(({ status }) => read.push(status))();
    stores.presence("T").subscribe(({ users }) => read.push(users.length))();
    stores.connectionState().subscribe((state) => read.push(state))();
    expect(read).to.deep.equal(["pending", 0, "idle"]);

    createRoot((dispose) => {
      const watched = solid.createSubscription("T", () => ({ id: 5 }));
      expect([watched.status, watched.resync, solid.createPresence("T").count, solid.createConnectionState()()]).to.deep.equal([
        "pending",
        undefined,
        0,
        "idle",
      ]);
      dispose();
    });

    const host = { addController: () => {}, removeController: () => {}, requestUpdate: () => {}, updateComplete: Promise.resolve(true) };
    expect([
      lit.subscription(host, "T").current.status,
      lit.presence(host, "T").current.count,
      lit.connectionState(host).current,
    ]).to.deep.equal(["pending", 0, "idle"]);

    expect(client.state).to.equal("idle");
    await settled(client);
    expect(stage.relay.subscribes).to.deep.equal([]);
  });
});

import { expect } from "chai";
import { Hole } from "./hole.js";
import { usePage } from "./page.js";
import { state, until, useStage } from "./setup.js";

describe("a network that swallows everything", function () {
  // Whole well within the 10 s that are promised; an attempt that is left to itself hangs for longer.
  this.timeout(8000);
  const stage = useStage();
  const page = usePage();
  let hole: Hole;
  beforeEach(async () => {
    hole = await Hole.open(stage.relay.port);
    stage.relay.answer = () => ({
      body: { enabled: true, url: `ws://127.0.0.1:${hole.port}`, site: "s1", token: "t", subscribeToken: "st" },
    });
  });
  afterEach(() => hole.close());

  for (const wake of ["online", "visible"] as const) {
    it(`costs no time once the page hears ${wake}, though an attempt hangs in it`, async () => {
      // Whatever the length of the hole, the next wait would be a long one.
      const client = stage.client({ reconnect: { delays: [5, 60_000], random: () => 1 } });
      await client.subscribe("T", () => {}).ready;
      hole.swallows = true;
      stage.relay.cut();
      await until(() => hole.swallowed === 1);
      hole.swallows = false;
      page[wake]();
      await state(client, "connected");
      expect(stage.relay.auths[1]).to.include({ ticket: "connection ticket" });
    });
  }

  it("that ends a while after the page heard of its end costs little more", async () => {
    const client = stage.client({ reconnect: { delays: [5, 5, 60_000], random: () => 1 } });
    await client.subscribe("T", () => {}).ready;
    hole.swallows = true;
    stage.relay.cut();
    await until(() => hole.swallowed === 1);
    page.online();
    await until(() => hole.swallowed === 2);
    hole.swallows = false;
    await state(client, "connected");
  });

  it("costs a token request no time either: it is given up and made anew, for the connection or a subscription", async () => {
    const client = stage.client({ reconnect: { delays: [60_000], random: () => 1 } });
    const usual = stage.relay.answer;
    const hang = (): Promise<never> => new Promise(() => {});
    stage.relay.answer = hang;
    const early = client.subscribe("Early", () => {});
    await until(() => stage.relay.tokenRequests.length === 1);
    stage.relay.answer = usual;
    page.online();
    await early.ready;
    expect(stage.relay.tokenRequests).to.have.length(2);
    stage.relay.answer = hang;
    const late = client.subscribe("Late", () => {});
    await until(() => stage.relay.tokenRequests.length === 3);
    stage.relay.answer = usual;
    page.visible();
    await late.ready;
    expect(stage.relay.tokenRequests.map(({ subscriptions }) => subscriptions?.map(({ topic }) => topic))).to.deep.equal(
      ["Early", "Early", "Late", "Late"].map((topic) => [topic]),
    );
  });
});

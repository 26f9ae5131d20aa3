import { focusManager, QueryClient, QueryObserver } from "@tanstack/query-core";
import { expect } from "chai";
import type { Client } from "@bellwire/client";
import { invalidateOn } from "@bellwire/client/tanstack-query";
import { confirmed } from "./fake-relay.js";
import { settled, until, useStage } from "./setup.js";

type Contact = { Contact: { data: { id: number } } };

describe("TanStack Query's cache", () => {
  const stage = useStage();
  const ends: (() => void)[] = [];
  afterEach(() => {
    ends.splice(0).forEach((end) => end());
    focusManager.setFocused(undefined);
  });

  /** A cache that shows contacts, and what it fetched. Each fetch ends with `answer`, or at once. */
  const cache = (): {
    queries: QueryClient;
    fetched: number[];
    show(id: number): void;
    answer: (() => void)[];
    slow: boolean;
    most: () => number;
  } => {
    const queries = new QueryClient();
    queries.mount();
    ends.push(
      () => queries.unmount(),
      () => queries.clear(),
    );
    const fetched: number[] = [];
    const answer: (() => void)[] = [];
    let [running, most] = [0, 0];
    const self = {
      queries,
      fetched,
      answer,
      slow: false,
      most: () => most,
      show(id: number) {
        const queryFn = async (): Promise<number> => {
          fetched.push(id);
          most = Math.max(most, ++running);
          if (self.slow) await new Promise<void>((resolve) => answer.push(resolve));
          running--;
          return fetched.length;
        };
        ends.push(new QueryObserver(queries, { queryKey: ["contact", id], queryFn }).subscribe(() => {}));
      },
    };
    return self;
  };
  const watch = async (client: Client, queries: QueryClient, more: object = {}): Promise<() => void> => {
    const own = client as unknown as Client<Contact>;
    const stop = invalidateOn(own, queries, { Contact: ({ data }) => ["contact", data.id] }, { focus: focusManager, ...more });
    await until(() => stage.relay.subscribes.length > 0);
    await settled(client);
    return stop;
  };

  it("fetches what a message names, all that the topic maps to after a resync, and nothing after the end", async () => {
    const client = stage.client();
    const { queries, fetched, show } = cache();
    show(5);
    show(6);
    const stop = await watch(client, queries);
    expect(fetched).to.deep.equal([5, 6]);
    stage.relay.messages("Contact", [11, 0, { id: 6 }], [12, 0, { id: 7 }]);
    await until(() => fetched.length === 3);
    stage.relay.socket.emit("resync", [{ topic: "Contact", epoch: "e1", offset: 20 }], { spread: 0, cause: "test" });
    await until(() => fetched.length === 5);
    expect(fetched).to.deep.equal([5, 6, 6, 5, 6]);
    stop();
    stage.relay.messages("Contact", [21, 0, { id: 6 }]);
    await settled(client);
    expect(fetched).to.have.length(5);
  });

  it("fetches once more for what came while a fetch was under way, which it lets end, one at a time", async () => {
    const client = stage.client();
    const shown = cache();
    shown.show(5);
    await watch(client, shown.queries);
    await until(() => shown.queries.isFetching() === 0);
    shown.slow = true;
    void shown.queries.refetchQueries({ queryKey: ["contact", 5] });
    // Its answer may be from before this.
    stage.relay.messages("Contact", [11, 0, { id: 5 }]);
    await settled(client);
    expect(shown.fetched).to.have.length(2);
    shown.answer.shift()?.();
    await until(() => shown.fetched.length === 3);
    expect(shown.queries.getQueryData(["contact", 5]), "the answer of the one under way was taken").to.equal(2);
    for (let offset = 61; offset < 70; offset++) stage.relay.messages("Contact", [offset, 0, { id: 5 }]);
    await settled(client);
    shown.slow = false;
    shown.answer.shift()?.();
    await until(() => shown.queries.isFetching() === 0 && shown.fetched.length >= 4);
    await settled(client);
    expect([shown.fetched.length, shown.most()]).to.deep.equal([4, 1]);
  });

  it("fetches nothing while nobody looks, and once when somebody does", async () => {
    const client = stage.client();
    const { queries, fetched, show } = cache();
    show(5);
    await watch(client, queries);
    focusManager.setFocused(false);
    for (let offset = 11; offset < 61; offset++) stage.relay.messages("Contact", [offset, 0, { id: 5 }]);
    await settled(client);
    expect(fetched).to.deep.equal([5]);
    expect(queries.getQueryState(["contact", 5])?.isInvalidated).to.equal(true);
    focusManager.setFocused(true);
    await until(() => fetched.length === 2 && queries.isFetching() === 0);
    await settled(client);
    expect(fetched).to.deep.equal([5, 5]);
  });

  it("fetches all that the topic maps to where something changed since the page's load, unless it begins at positions", async () => {
    const last = [11, Date.now(), { id: 7 }];
    stage.relay.hello = { ...stage.relay.hello, time: Date.now() };
    stage.relay.subscribe = (item) => confirmed(item, { offset: 11, messages: [last] });
    for (const [positions, expected] of [
      [undefined, [5, 5]],
      [[{ topic: "Contact", epoch: "e1", offset: 10 }], [5]],
    ] as const) {
      const client = stage.client();
      const { queries, fetched, show } = cache();
      show(5);
      await until(() => queries.isFetching() === 0);
      await watch(client, queries, positions === undefined ? {} : { positions });
      await until(() => queries.isFetching() === 0);
      await settled(client);
      expect(fetched).to.deep.equal(expected);
    }
  });
});

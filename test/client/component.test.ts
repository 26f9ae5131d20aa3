import { expect } from "chai";
import { setDefaultClient, withSubscriptions, type Subscription } from "@bellwire/client";
import { heard, until, useStage } from "./setup.js";

class Plain {
  readonly name = "plain";
}

describe("the component mixin", () => {
  const stage = useStage();
  afterEach(() => setDefaultClient(undefined));

  it("ends subscriptions with stop, destroy or disconnectedCallback, and calls the base's own", async () => {
    for (const ending of ["stop", "destroy", "disconnectedCallback"] as const) {
      const calls: unknown[] = [];
      class Base {
        [ending](...args: unknown[]): string {
          calls.push([this, ...args]);
          return "base's";
        }
      }
      const Component = withSubscriptions(Base);
      const component = new Component();
      component.bellwire = stage.client();
      const subscription = component.subscribe("T", { id: 1 }, () => {});
      await subscription.ready;
      expect(component[ending]?.(1, 2)).to.equal("base's");
      expect(subscription.state).to.equal("unsubscribed");
      expect(calls).to.deep.equal([[component, 1, 2]]);
    }
  });

  it("gives the methods to a base that has none", () => {
    const component = new (withSubscriptions(Plain))() as unknown as { stop(): void; destroy(): void; disconnectedCallback(): void };
    component.stop();
    component.destroy();
    component.disconnectedCallback();
  });

  it("works for a component that comes and goes, and keeps components apart", async () => {
    setDefaultClient(stage.client());
    const callback = heard();
    class Card extends withSubscriptions(Plain) {
      subscription: Subscription | undefined;
      connectedCallback(): void {
        this.subscription = this.subscribe("T", callback);
      }
    }
    const [a, b] = [new Card(), new Card()];
    a.connectedCallback();
    b.connectedCallback();
    (b as unknown as { disconnectedCallback(): void }).disconnectedCallback();
    expect([a.subscription?.state, b.subscription?.state]).to.deep.equal(["pending", "unsubscribed"]);
    b.connectedCallback();
    await b.subscription?.ready;
    stage.relay.messages("T", [11, 0, {}]);
    await callback.count(2);
    expect(stage.relay.subscribes.flat()).to.have.length(1);
  });

  it("may subscribe in the constructor of its base", async () => {
    setDefaultClient(stage.client());
    abstract class Base {
      abstract subscribe(topic: string, callback: () => void): Subscription;
      readonly subscription: Subscription;
      constructor() {
        this.subscription = this.subscribe("T", () => {});
      }
      stop(): void {}
    }
    const Component = withSubscriptions(Base) as unknown as new () => Base;
    const component = new Component();
    await component.subscription.ready;
    component.stop();
    await until(() => component.subscription.state === "unsubscribed");
  });

  it("waits for a filter's values", async () => {
    const client = stage.client();
    setDefaultClient(client);
    class Card extends withSubscriptions(Plain) {
      show(id: number | undefined): Subscription {
        return this.subscribe("T", { id }, () => {});
      }
    }
    const card = new Card();
    const waiting = card.show(undefined);
    expect([waiting.state, waiting.error, client.state]).to.deep.equal(["pending", undefined, "idle"]);
    await card.show(5).ready;
    (card as unknown as { stop(): void }).stop();
    expect(waiting.state).to.equal("unsubscribed");
    expect(stage.relay.subscribes.flat().map(({ filter }) => filter)).to.deep.equal([{ id: 5 }]);
  });

  it("leaves the page standing where there is no client: silent on a server, with one warning in a page", () => {
    const warnings: string[] = [];
    const warn = console.warn;
    const globals = globalThis as { document?: unknown };
    console.warn = (line: string): unknown => warnings.push(line);
    try {
      const component = new (withSubscriptions(Plain))();
      expect(component.subscribe("T", () => {}).state).to.equal("pending");
      expect(warnings).to.deep.equal([]);
      globals.document = {};
      for (const topic of ["T", "U"]) component.subscribe(topic, { id: 5 }, () => {}).unsubscribe();
    } finally {
      delete globals.document;
      console.warn = warn;
    }
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.contain("setDefaultClient");
  });
});

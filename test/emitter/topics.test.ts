import { expect } from "chai";
import { createTopics, defineTopic, Topic, type Permission } from "@bellwire/emitter";

const allow = (): boolean => true;

describe("a topic's definition", () => {
  it("takes a function, an object or a class", async () => {
    class ContactUpdated extends Topic<string> {
      static override readonly topic = "Contact_Updated_Topic";
      readonly #admins = ["ann"];
      override canSubscribe(user: string): Permission {
        return this.#admins.includes(user);
      }
    }
    const context = { site: "5", topic: "x", session: undefined };
    for (const definition of [
      defineTopic("Contact_Updated_Topic", (user: string) => user === "ann"),
      defineTopic("Contact_Updated_Topic", { canSubscribe: (user: string) => user === "ann" }),
      defineTopic(ContactUpdated),
    ]) {
      expect(definition.topic).to.equal("Contact_Updated_Topic");
      expect(await definition.canSubscribe("ann", {}, {}, context)).to.equal(true);
      expect(await definition.canSubscribe("ben", {}, {}, context)).to.equal(false);
    }
  });

  it("knows its placeholders' names as types", () => {
    defineTopic("invoice.{year}.{no}", (_user, _filter, { year, no }) => year + no !== "");
    // @ts-expect-error there is no {month} in the pattern
    defineTopic("invoice.{year}", (_user, _filter, { month }) => month !== "");
  });

  const wrong = ["", "no spaces", "$user", "a{b", "{}", "{1x}", "{a}{b}", "{a}.{a}", "{a}-{b}-{c}-{d}", "x".repeat(129), "contact.*"];
  for (const name of wrong) {
    it(`refuses ${JSON.stringify(name.slice(0, 20))} as a name`, () => {
      expect(() => defineTopic(name, allow)).to.throw(TypeError);
    });
  }

  it("refuses what is no rule, and a class without a name", () => {
    expect(() => defineTopic("a", {} as never)).to.throw(TypeError, /needs canSubscribe/);
    expect(() => defineTopic("a", undefined as never)).to.throw(TypeError, /needs canSubscribe/);
    class Nameless extends Topic {
      override canSubscribe(): boolean {
        return true;
      }
    }
    expect(() => defineTopic(Nameless)).to.throw(TypeError, /static topic/);
  });
});

describe("a registry of topics", () => {
  const names = ["user.{id}", "user.admin", "user.{id}.inbox", "invoice.{year}.{no}", "a-{x}", "a-b-{x}", "{any}"];
  const topics = createTopics(names.map((name) => defineTopic(name, allow)));
  const find = (topic: string): unknown => {
    const found = topics.find(topic);
    return found && [found.rule.topic, found.params];
  };

  it("finds by whole name first", () => {
    expect(find("user.admin")).to.deep.equal(["user.admin", {}]);
  });

  it("reads the placeholders", () => {
    expect(find("user.42")).to.deep.equal(["user.{id}", { id: "42" }]);
    expect(find("user.a:b$c-d_e")).to.deep.equal(["user.{id}", { id: "a:b$c-d_e" }]);
    expect(find("invoice.2026.0017")).to.deep.equal(["invoice.{year}.{no}", { year: "2026", no: "0017" }]);
  });

  it("never lets a placeholder cross a dot, or be empty", () => {
    expect(find("user.1.2")).to.equal(undefined);
    expect(find("user.")).to.equal(undefined);
    expect(find("user.1.inbox")).to.deep.equal(["user.{id}.inbox", { id: "1" }]);
  });

  it("prefers the pattern with more literal characters, then the first defined", () => {
    expect(find("a-b-c")).to.deep.equal(["a-b-{x}", { x: "c" }]);
    expect(find("anything")).to.deep.equal(["{any}", { any: "anything" }]);
    const tied = createTopics([defineTopic("{a}.x", allow), defineTopic("{b}.x", allow)]);
    expect(tied.find("1.x")?.rule.topic).to.equal("{a}.x");
  });

  it("takes dots and dollars of a pattern literally", () => {
    const topics = createTopics([defineTopic("a.$b.{x}", allow)]);
    expect(topics.find("a.$b.1")?.params).to.deep.equal({ x: "1" });
    expect(topics.find("ac$b.1")).to.equal(undefined);
  });

  it("finds nothing for what nobody defined, whatever its name", () => {
    const topics = createTopics([defineTopic("a", allow)]);
    for (const name of ["b", "__proto__", "constructor", ""]) expect(topics.find(name)).to.equal(undefined);
  });

  it("refuses a name that is defined twice", () => {
    expect(() => createTopics([defineTopic("a", allow), defineTopic("a", allow)])).to.throw(TypeError, /twice/);
  });

  it("answers in no time for names made to be slow", () => {
    const topics = createTopics([defineTopic("{a}-{b}-{c}!".slice(0, -1), allow)]);
    const begin = performance.now();
    topics.find(`${"-".repeat(127)}.`);
    expect(performance.now() - begin).to.be.below(200);
  });
});

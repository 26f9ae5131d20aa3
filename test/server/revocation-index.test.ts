import { expect } from "chai";
import { parseFilter } from "@bellwire/protocol";
import { RevocationIndex } from "../../server/src/revocations/revocation-index.js";
import { parseRevocation } from "../../server/src/revocations/revocation.js";

describe("a revocation", () => {
  const holder = { site: "5", user: "ann", session: "s1", client: "c1" };
  const index = (body: object, at = 100_500): RevocationIndex => {
    const made = new RevocationIndex();
    const revocation = parseRevocation({ text: JSON.stringify({ site: "5", ...body }), at });
    if (revocation === undefined) throw new Error("It can't be read");
    made.add(revocation);
    return made;
  };

  const times: [iat: number, refused: boolean][] = [
    [99, true],
    [100, true], // any moment of that second: also one before
    [100.4999, true],
    [100.5, true],
    [100.501, false],
    [101, false],
  ];
  for (const [iat, refused] of times) {
    it(`of 100.5 s ${refused ? "refuses" : "admits"} what was issued at ${iat}`, () => {
      expect(index({ user: "ann" }).refuses(holder, { iat, jti: undefined })).to.equal(refused);
    });
  }

  const scope = (topic: string, filter: object = {}) => ({ topic, filter: parseFilter(filter) });
  const cases: [body: object, of: ReturnType<typeof scope> | undefined, jti: string | undefined, refused: boolean][] = [
    [{ user: "ann" }, undefined, undefined, true],
    [{ user: "ann" }, scope("T"), undefined, true],
    [{ user: "bob" }, undefined, undefined, false],
    [{ session: "s1" }, undefined, undefined, true],
    [{ session: "s2" }, scope("T"), undefined, false],
    [{ client: "c1" }, undefined, undefined, true],
    [{ client: "c2" }, undefined, undefined, false],
    [{ jti: "j" }, undefined, "j", true],
    [{ jti: "j" }, scope("T"), "k", false],
    [{ jti: "j" }, undefined, undefined, false],
    [{ user: "ann", jti: "j" }, undefined, "j", true],
    [{ user: "ann", jti: "j" }, undefined, "k", false],
    [{ user: "bob", jti: "j" }, undefined, "j", false],
    [{ user: "ann", topic: "T" }, undefined, undefined, false],
    [{ user: "ann", topic: "T" }, scope("T", { id: 5 }), undefined, true],
    [{ user: "ann", topic: "T" }, scope("T2"), undefined, false],
    [{ user: "ann", topic: "T*" }, scope("T2"), undefined, true],
    [{ topic: "T" }, scope("T"), undefined, true],
    [{ topic: "T*" }, scope("T2"), undefined, true],
    [{ topic: "*" }, scope("x"), undefined, true],
    [{ topic: "T" }, undefined, undefined, false],
    [{ topic: "T", jti: "j" }, scope("T"), "j", true],
    [{ topic: "T", jti: "j" }, scope("T"), "k", false],
    [{ topic: "T", filter: { id: 5 } }, scope("T"), undefined, true],
    [{ topic: "T", filter: { id: 5 } }, scope("T", { id: 5 }), undefined, true],
    [{ topic: "T", filter: { id: 5 } }, scope("T", { id: 6 }), undefined, false],
    [{ topic: "T", filter: { id: 5 } }, scope("T", { id: "5" }), undefined, false],
    [{ topic: "T", filter: { id: 5 } }, scope("T", { id: [6, 5] }), undefined, true],
    [{ topic: "T", filter: { id: 5 } }, scope("T", { type: "x" }), undefined, true],
    [{ topic: "T", filter: { id: [5, 6], type: "x" } }, scope("T", { id: 6, type: "y" }), undefined, false],
    [{ topic: "T", filter: { id: [5, 6], type: "x" } }, scope("T", { id: 6, type: ["x", "y"] }), undefined, true],
  ];
  for (const [body, of, jti, refused] of cases) {
    const what = of === undefined ? "a connection" : `${of.topic} ${of.filter.canonical}`;
    it(`of ${JSON.stringify(body)} ${refused ? "refuses" : "admits"} ${what}${jti === undefined ? "" : ` by ${jti}`}`, () => {
      expect(index(body).refuses(holder, { iat: 100, jti }, of)).to.equal(refused);
      expect(index(body).refuses({ ...holder, site: "6" }, { iat: 100, jti }, of), "of another site").to.equal(false);
    });
  }

  it("leaves nothing behind in the index", () => {
    const made = new RevocationIndex();
    const all = [{ user: "a" }, { session: "a" }, { client: "a" }, { jti: "a" }, { topic: "a" }, { topic: "a*" }].map((body) => {
      const revocation = parseRevocation({ text: JSON.stringify({ site: "5", ...body }), at: 1 });
      if (revocation === undefined) throw new Error("It can't be read");
      made.add(revocation);
      return revocation;
    });
    expect(made.size).to.equal(6);
    for (const revocation of all) made.delete(revocation);
    expect(made.size).to.equal(0);
    expect(made.refuses({ ...holder, user: "a" }, { iat: 0, jti: "a" })).to.equal(false);
  });

  for (const text of ["", "null", "[]", "{}", '{"site":"5"}', '{"site":"a b","user":"x"}', '{"site":"5","user":5}', '{"user":"x"}', "x"]) {
    it(`is not ${text === "" ? "an empty text" : text}`, () => {
      expect(parseRevocation({ text, at: 1 })).to.equal(undefined);
    });
  }
});

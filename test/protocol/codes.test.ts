import { expect } from "chai";
import fc from "fast-check";
import { BellwireError, codes, isCode, parseWireError, type Code } from "@bellwire/protocol";

const all = Object.keys(codes) as Code[];

describe("an error", () => {
  it("survives its way over the wire, for every code", () => {
    const reason = fc.record({ code: fc.oneof(fc.string(), fc.integer()) }, { requiredKeys: ["code"] });
    fc.assert(
      fc.property(
        fc.constantFrom(...all),
        fc.string(),
        fc.option(fc.nat(), { nil: undefined }),
        fc.option(reason, { nil: undefined }),
        (code, message, after, reason) => {
          const error = new BellwireError(code, message, {
            ...(after === undefined ? {} : { after }),
            ...(reason === undefined ? {} : { reason }),
          });
          const received = parseWireError(JSON.parse(JSON.stringify(error)));
          expect(received).to.deep.equal(error.toJSON());
          expect(received.retry).to.equal(codes[code].retry);
          expect(error.status).to.equal(codes[code].status);
        },
      ),
    );
  });

  it("of an unknown code acts by its retry, of an unknown retry as later", () => {
    expect(parseWireError({ code: "new-thing", retry: "never" })).to.include({ code: "new-thing", retry: "never" });
    expect(parseWireError({ code: "new-thing", retry: "tomorrow" }).retry).to.equal("later");
    expect(parseWireError({ code: "new-thing" }).retry).to.equal("later");
    expect(parseWireError({ code: "forbidden", retry: "tomorrow" }).retry).to.equal("later");
    expect(parseWireError({ code: "forbidden" }).retry).to.equal("never");
  });

  it("is read from any value at all", () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const error = parseWireError(value);
        expect(error.code).to.be.a("string");
        expect(error.message).to.be.a("string");
        expect(error.retry).to.be.oneOf(["never", "refresh", "later"]);
      }),
    );
  });

  it("keeps its cause for the log, and keeps it off the wire", () => {
    const cause = new Error("secret");
    const error = new BellwireError("internal", "Something broke", { cause });
    expect(error.cause).to.equal(cause);
    expect(JSON.stringify(error)).not.to.contain("secret");
    expect("cause" in new BellwireError("internal", "no cause")).to.equal(false);
  });

  it("has a code of the list only", () => {
    for (const code of all) expect(isCode(code)).to.equal(true);
    for (const value of ["toString", "__proto__", "constructor", "", 5, null]) expect(isCode(value)).to.equal(false);
  });
});

import { createHmac, randomBytes } from "node:crypto";
import { expect } from "chai";
import { Mac } from "../../server/src/auth/mac.js";

describe("a ticket's MAC", () => {
  const texts = ["", "a", "5\nc1.body", "x".repeat(63), "x".repeat(64), "x".repeat(5000), "gr\u00fc\u00dfe \u{1f514}", "\u0000\n"];

  it("is HMAC-SHA-256 under the key's hexadecimal text", () => {
    for (let i = 0; i < 50; i++) {
      const secret = randomBytes(32);
      const mac = new Mac(secret);
      for (const text of texts) {
        expect(mac.sign(text)).to.equal(createHmac("sha256", secret.toString("hex")).update(text).digest("base64url"));
      }
    }
  });

  it("verifies its own, and nothing else", () => {
    const mac = new Mac(randomBytes(32));
    const other = new Mac(randomBytes(32));
    for (const text of texts) {
      const own = mac.sign(text);
      expect(mac.verify(text, own)).to.equal(true);
      for (const wrong of ["", own.slice(1), `${own}A`, own.toUpperCase(), other.sign(text), mac.sign(`${text} `)]) {
        expect(mac.verify(text, wrong), wrong).to.equal(false);
      }
    }
  });

  it("wants a key of 32 bytes", () => {
    expect(() => new Mac(randomBytes(31))).to.throw(TypeError);
  });
});

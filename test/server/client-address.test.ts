import { expect } from "chai";
import { readConfig } from "@bellwire/server";
import { trustedProxies } from "../../server/src/config/trusted-proxies.js";
import { clientAddress } from "../../server/src/socket/client-address.js";

function from(remoteAddress: string, forwarded: string | undefined, proxies: string[]): string | undefined {
  const headers = forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
  return clientAddress({ socket: { remoteAddress } as never, headers }, trustedProxies(proxies)).address;
}

describe("the address that a request counts for", () => {
  it("is the socket's, whatever a header says, where no trusted proxy wrote it", () => {
    expect(from("203.0.113.5", undefined, [])).to.equal("203.0.113.5");
    expect(from("203.0.113.5", "198.51.100.1", [])).to.equal("203.0.113.5");
    expect(from("203.0.113.5", "198.51.100.1", ["10.0.0.0/8"])).to.equal("203.0.113.5");
    expect(from("::ffff:203.0.113.5", undefined, [])).to.equal("203.0.113.5");
  });

  it("is the last in X-Forwarded-For that is no trusted proxy's: the rest may be the client's invention", () => {
    expect(from("10.0.0.7", "1.1.1.1, 198.51.100.1", ["10.0.0.7"])).to.equal("198.51.100.1");
    expect(from("::ffff:10.0.0.7", "1.1.1.1, 198.51.100.1, 10.2.3.4", ["10.0.0.0/8"])).to.equal("198.51.100.1");
    expect(from("10.0.0.7", "198.51.100.1:4711", ["10.0.0.7"])).to.equal("198.51.100.1");
    expect(from("fd00::1", "[2001:db8:1:2::5]:443", ["fd00::/8"])).to.equal("2001:db8:1:2::/64");
  });

  it("is nobody's where it can't be told", () => {
    expect(from("10.0.0.7", undefined, ["10.0.0.7"])).to.equal(undefined);
    expect(from("10.0.0.7", "198.51.100.1, unknown", ["10.0.0.7"])).to.equal(undefined);
    expect(from("10.0.0.7", "10.0.0.7,10.0.0.7", ["10.0.0.7"])).to.equal(undefined);
    for (const own of ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.5.5.5"]) expect(from(own, undefined, []), own).to.equal(undefined);
  });

  it("is the whole network that one subscriber has in IPv6", () => {
    const [one, two] = [from("2001:db8::1", undefined, []), from("2001:0db8:0:0:ffff:1:2:3", undefined, [])];
    expect(one).to.equal("2001:db8:0:0::/64");
    expect(two).to.equal(one);
    expect(from("2001:db8:0:1::1", undefined, [])).to.not.equal(one);
  });

  it("is nobody's behind a proxy nearby that is not trusted, which is told", () => {
    expect(from("10.0.0.7", "198.51.100.1", [])).to.equal(undefined);
    expect(from("10.0.0.7", undefined, [])).to.equal("10.0.0.7");
    const untrusted = (remoteAddress: string): string | undefined =>
      clientAddress({ socket: { remoteAddress } as never, headers: { "x-forwarded-for": "198.51.100.1" } }, trustedProxies([])).untrusted;
    expect(untrusted("10.0.0.7")).to.equal("10.0.0.7");
    expect(untrusted("127.0.0.1")).to.equal("127.0.0.1");
    expect(untrusted("203.0.113.5"), "anybody may send the header").to.equal(undefined);
  });

  it("comes of settings that are checked, with one line for a wrong one", () => {
    for (const wrong of ["10.0.0.0/33", "proxy.example", "10.0.0", "fd00::/129", "10.0.0.1/8/8", "10.0.0.1/"]) {
      expect(() => readConfig({ REALTIME_TRUSTED_PROXIES: `127.0.0.1, ${wrong}` }), wrong).to.throw(
        `REALTIME_TRUSTED_PROXIES: "${wrong}" is neither an address`,
      );
    }
    expect(readConfig({ REALTIME_TRUSTED_PROXIES: "10.0.0.0/8, ::1" }).proxies).to.deep.equal(["10.0.0.0/8", "::1"]);
  });
});

import { expect } from "chai";
import { createEmitter, type EmitterOptions } from "@bellwire/emitter";
import { readEnabled } from "../../emitter/src/environment.js";
import { readOptions } from "../../emitter/src/options.js";

describe("the options of an emitter", () => {
  const wrong: [unknown, RegExp][] = [
    [{ redisUrl: "redis://localhost" }, /no option "redisUrl"/],
    [{ redis: "redis://localhost", url: "http://localhost" }, /one of redis, url and transport/],
    [{ url: "http://localhost" }, /needs apiKey/],
    [{ apiKey: "k" }, /needs url/],
    [{ url: "localhost:6200", apiKey: "k" }, /url is a relay's address/],
    [{ url: "http://localhost", apiKey: "a b" }, /apiKey/],
    [{ url: "http://localhost", apiKey: "k", timeout: 0 }, /timeout is a positive number/],
    [{ url: "http://localhost", apiKey: "k", timeout: "5s" }, /timeout is a positive number/],
    [{ url: "http://localhost", apiKey: "k", enabled: "no" }, /enabled is true or false/],
    [{ url: "http://localhost", apiKey: "k", onError: 1 }, /onError is a function/],
  ];
  for (const [options, message] of wrong) {
    it(`are refused at once: ${JSON.stringify(options)}`, () => {
      expect(() => createEmitter(options as EmitterOptions)).to.throw(TypeError, message);
    });
  }

  it("come from the environment where they name no target", () => {
    expect(() => readOptions({}, {})).to.throw(TypeError, /nowhere to publish/);
    expect(readOptions({}, { REALTIME_ENABLED: "false" }).transport).to.equal(undefined);
    expect(readOptions({ enabled: false }, {}).transport).to.equal(undefined);
    expect(readOptions({}, { REALTIME_PUBLIC_URL: "ws://localhost:6200", REALTIME_API_KEY: "k" }).transport).to.be.an("object");
    expect(() => readOptions({}, { REALTIME_ENABLED: "perhaps" })).to.throw(TypeError, /REALTIME_ENABLED/);
  });

  it("read REALTIME_ENABLED as people write it", () => {
    for (const yes of [undefined, "", "null", "true", "1", "YES"]) expect(readEnabled({ REALTIME_ENABLED: yes })).to.equal(true);
    for (const no of ["false", "0", "Off", "no"]) expect(readEnabled({ REALTIME_ENABLED: no })).to.equal(false);
  });
});

import { expect } from "chai";
import {
  readCount,
  readFilter,
  readJson,
  readMoment,
  readObject,
  readSeconds,
  readSite,
  readTopic,
} from "../../server/src/cli/arguments.js";
import { UsageError } from "../../server/src/cli/failure.js";

describe("what is typed on the command line", () => {
  function refused(read: () => unknown, says: string): void {
    expect(read).to.throw(UsageError).with.property("message").that.includes(says).and.not.includes("\n");
  }

  it("names sites and topics as the contract does", () => {
    expect([readSite("acme-5"), readTopic("user.42")]).to.deep.equal(["acme-5", "user.42"]);
    refused(() => readSite("a/b"), "A site is 1 to 64 characters");
    refused(() => readTopic("a b"), "A topic is 1 to 128 characters");
    refused(() => readTopic("$user"), "belong to the server");
  });

  it("holds JSON", () => {
    expect(readObject('{"id":5}', "The data")).to.deep.equal({ id: 5 });
    expect(readObject("[]", "The data")).to.deep.equal({});
    expect(readJson("[1]", "--info")).to.deep.equal([1]);
    refused(() => readObject("[1]", "The data"), "The data must be a JSON object");
    refused(() => readObject("null", "The data"), "The data must be a JSON object");
    refused(() => readJson("{id:5}", "--info"), "--info must be JSON");
    refused(() => readJson(`{${"x".repeat(500)}`, "--info"), "xxx...");
  });

  it("holds filters", () => {
    expect(readFilter(undefined)).to.deep.equal({});
    expect(readFilter('{"id":[5,6],"type":"person"}')).to.deep.equal({ id: [5, 6], type: "person" });
    refused(() => readFilter("5"), "--filter must be a JSON object");
    refused(() => readFilter('{"id":[]}'), '--filter: "id" lists no values');
    refused(() => readFilter('{"id":{"a":1}}'), "--filter: ");
  });

  it("counts from one", () => {
    expect(readCount("12", "--count")).to.equal(12);
    for (const text of ["0", "-1", "1.5", "1e3", "", "many", "99999999999999999999"]) refused(() => readCount(text, "--count"), "--count");
  });

  it("tells durations in seconds", () => {
    const read = (text: string): number => readSeconds(text, "--ttl");
    expect(["90", "90s", "1.5m", "2h", "1d"].map(read)).to.deep.equal([90, 90, 90, 7200, 86_400]);
    for (const text of ["0", "0m", "-5", "5 m", "5ms", "m", "", "Infinity"]) refused(() => read(text), "--ttl");
  });

  it("tells moments as epoch seconds, dates, or durations from now", () => {
    const read = (text: string): number => readMoment(text, "--until", 1000.5);
    expect(["1900000000", "2030-01-31T12:00Z", "2030-01-31", "2h", "90s"].map(read)).to.deep.equal([
      1_900_000_000, 1_896_091_200, 1_896_048_000, 8201, 1091,
    ]);
    for (const text of ["tomorrow", "90", "2030-13-01", "", "-1h"]) refused(() => read(text), "--until");
  });
});

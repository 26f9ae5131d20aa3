import { expect } from "chai";
import { BellwireError } from "@bellwire/protocol";
import { RefusalLog, type RefusalCount } from "../../server/src/observe/refusal-log.js";
import { refusal } from "../support/socket.js";
import { connectToken, subscribeToken } from "../support/tokens.js";
import { APP_KEY } from "./controlled.js";
import { Stage } from "./stage.js";

const OTHER_KEY = "another key of at least thirty-two bytes";
const SIGNATURE = "The token's signature does not hold: check APP_KEY";

describe("refusals in the log", () => {
  const stage = Stage.forEachTest();
  const real = globalThis.setInterval;
  let minute: (() => void) | undefined;
  afterEach(() => {
    globalThis.setInterval = real;
    minute = undefined;
  });

  /** Refusals whose minutes pass by hand. */
  function collected(): { refusals: RefusalLog; lines: string[]; fields: RefusalCount[] } {
    globalThis.setInterval = ((run: () => void) => {
      minute = run;
      return { unref: () => undefined };
    }) as unknown as typeof setInterval;
    const lines: string[] = [];
    const fields: RefusalCount[] = [];
    const say = (line: string, count: RefusalCount): void => {
      lines.push(line);
      fields.push(count);
    };
    return { refusals: new RefusalLog({ say }), lines, fields };
  }

  it("say the first of a site, kind and code at once, and how many in each minute after it", () => {
    const { refusals, lines, fields } = collected();
    const error = new BellwireError("token-invalid", SIGNATURE);
    for (let i = 0; i < 38; i++) refusals.refused("acme", "connection", error);
    refusals.refused("acme", "subscription", error);
    refusals.refused("beta", "connection", new BellwireError("token-expired", "The token has expired"));
    minute?.();
    minute?.();
    refusals.refused("acme", "connection", error);
    expect(lines).to.deep.equal([
      `site acme: 1 connection refused with token-invalid: ${SIGNATURE}`,
      `site acme: 1 subscription refused with token-invalid: ${SIGNATURE}`,
      "site beta: 1 connection refused with token-expired: The token has expired",
      `site acme: 37 connections refused with token-invalid in the last minute: ${SIGNATURE}`,
      `site acme: 1 connection refused with token-invalid: ${SIGNATURE}`,
    ]);
    expect(fields[3]).to.deep.equal({ site: "acme", what: "connection", code: "token-invalid", count: 37 });
  });

  it("are bounded whatever sites strangers name, and count those too", () => {
    const { refusals, lines, fields } = collected();
    for (let i = 0; i < 10_000; i++) refusals.refused(`s${i}`, "connection", new BellwireError("token-missing", "A token is needed"));
    expect(lines).to.have.length(51);
    minute?.();
    expect(lines).to.have.length(52);
    expect(lines[51]).to.equal(
      "further sites, s9999 the last: 9949 connections refused with token-missing in the last minute: A token is needed",
    );
    expect(fields.reduce((sum, { count }) => sum + count, 0)).to.equal(10_000);
    minute?.();
    refusals.refused("acme", "connection", new BellwireError("token-missing", "A token is needed"));
    expect(lines.at(-1), "there is room again").to.match(/^site acme: 1 connection/);
  });

  it("say nothing of what is to be expected, and no text of a token", () => {
    const { refusals, lines } = collected();
    refusals.refused("acme", "connection", new BellwireError("draining", "The relay is going away"));
    refusals.refused("acme", "connection", new BellwireError("token-expired", "The ticket has expired"));
    refusals.refused(
      "acme",
      "connection",
      new BellwireError("token-invalid", 'The token\'s claim nbf is the text "a \\"secret": it must be'),
    );
    expect(lines).to.deep.equal(['site acme: 1 connection refused with token-invalid: The token\'s claim nbf is the text "…": it must be']);
  });

  it("come from a relay, for connections and for subscriptions", async () => {
    const lines: string[] = [];
    const relay = await stage.relay({ env: { APP_KEY }, onLog: (line) => lines.push(line) });
    for (let i = 0; i < 3; i++) await refusal(stage.client(relay, { auth: { v: 1, token: connectToken(OTHER_KEY) } }));
    const client = await stage.connect(relay);
    const token = subscribeToken(OTHER_KEY, { topic: "T" });
    await client.emit("subscribe", [
      { id: "1", topic: "T", token },
      { id: "2", topic: "U", token },
    ]);
    const told = (): string[] => lines.filter((line) => line.includes("refused"));
    expect(told()).to.deep.equal([
      `[realtime] site 5: 1 connection refused with token-invalid: ${SIGNATURE}`,
      `[realtime] site 5: 1 subscription refused with token-invalid: ${SIGNATURE}`,
    ]);
    client.close();
    await relay.close();
    expect(told().slice(2)).to.deep.equal([
      `[realtime] site 5: 2 connections refused with token-invalid in the last minute: ${SIGNATURE}`,
      `[realtime] site 5: 1 subscription refused with token-invalid in the last minute: ${SIGNATURE}`,
    ]);
    expect(lines.join("\n")).to.not.include(token.slice(0, 20));
  });
});

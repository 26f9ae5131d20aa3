import { expect } from "chai";
import { stablePort } from "../support/stable-port.js";
import { HookBackend, raw } from "./hooks-backend.js";
import { eventually, Stage } from "./stage.js";

describe("notices that the backend does not take", () => {
  const stage = Stage.forEachTest();

  for (const [what, url, says] of [
    ["answers 503", () => HookBackend.open(stage, (_asked, response) => raw(response, 503, "")).then((backend) => backend.url), /503/],
    ["is not there", async () => `http://127.0.0.1:${await stablePort()}/hooks`, /ECONNREFUSED/],
  ] as const) {
    it(`because it ${what} are said on the log by its address, and not as a trouble of Redis`, async () => {
      const lines: string[] = [];
      const address = await url();
      const file = { hooks: { notices: { url: `${address}?token=hunter2`, events: ["connected"] } } };
      const relay = await stage.relay({ file, onLog: (line) => lines.push(line) });
      await stage.connect(relay);
      await eventually(() => lines.some((line) => says.test(line)), "the failure is said");
      const line = lines.find((each) => says.test(each));
      expect(line).to.include(`The notices hook at ${address}: `);
      expect(lines.join("\n")).to.not.match(/Redis|hunter2/);
    });
  }
});

import { Agent, request } from "node:http";
import { channelOf } from "../load/dialects.js";
import type { PublisherSettings } from "./plan.js";
import type { Send } from "./send.js";

const AT_ONCE = 200;

/** Centrifugo's HTTP API: what one turn of the event loop publishes goes out as one batch, over a few connections kept open. */
export function createCentrifugoSender({ http, apiKey }: PublisherSettings): Send {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  let waiting: object[] = [];
  let batch: Promise<void> | undefined;

  const flush = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    const commands = waiting;
    waiting = [];
    batch = undefined;
    for (let i = 0; i < commands.length; i += AT_ONCE) {
      await post(agent, `${http}/api/batch`, apiKey as string, JSON.stringify({ commands: commands.slice(i, i + AT_ONCE) }));
    }
  };
  return ({ site, topic }, data) => {
    waiting.push({ publish: { channel: channelOf(site, { topic }), data } });
    batch ??= flush();
    return batch;
  };
}

/** Posts JSON and reads the answer away. Rejects where the status is not 200. */
export function post(agent: Agent, url: string, apiKey: string, body: string, header = "X-API-Key"): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { [header]: apiKey, "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) };
    const outgoing = request(url, { method: "POST", agent, headers }, (answer) => {
      answer.resume();
      answer.once("end", () => (answer.statusCode === 200 ? resolve() : reject(new Error(`${url} answered ${answer.statusCode}`))));
    });
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}

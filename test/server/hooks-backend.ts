import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect } from "chai";
import { BellwireError } from "@bellwire/protocol";
import { readConfig } from "@bellwire/server";
import { Disconnected, type Asker, type ConnectQuestion, type Hooks, type SubscribeQuestion } from "../../server/src/hooks/hooks.js";
import { createHttpHooks } from "../../server/src/hooks/http-hooks.js";
import type { HookSettings } from "../../server/src/hooks/settings.js";
import type { Outcome } from "../../server/src/hooks/unanswered.js";
import type { Stage } from "./stage.js";

export const APP_KEY = "k".repeat(32);

/** A request as a backend got it. */
export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly body: Record<string, unknown>;
  /** Which connection it came over, from 1. */
  readonly connection: number;
}

/** A status and a body; a function takes the response into its own hands. */
export type Reply = unknown;
export type Answering = (asked: Asked, response: ServerResponse) => Reply;

const TAKEN = Symbol("taken");

/** A backend as a developer would write one with node:http: what `answer` returns is sent as JSON with status 200. */
export class HookBackend {
  readonly asked: Asked[] = [];
  /** Requests that are being answered. */
  open = 0;
  mostOpen = 0;
  answer: Answering = () => ({});
  readonly #server: Server;
  #connections = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    this.#server.on("connection", (socket) => Object.assign(socket, { number: ++this.#connections }));
  }

  static async open(stage: Stage, answer?: Answering): Promise<HookBackend> {
    const backend = new HookBackend();
    if (answer !== undefined) backend.answer = answer;
    backend.#server.listen(0, "127.0.0.1");
    await once(backend.#server, "listening");
    stage.closeLater(() => backend.close());
    return backend;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `${this.origin}/hooks`;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.mostOpen = Math.max(this.mostOpen, ++this.open);
    response.on("close", () => this.open--);
    const body = await text(request);
    const { method = "", url = "", headers } = request;
    const asked: Asked = {
      method,
      url,
      headers,
      text: body,
      body: body === "" ? {} : (JSON.parse(body) as Record<string, unknown>),
      connection: (request.socket as unknown as { number: number }).number,
    };
    this.asked.push(asked);
    const reply = await this.answer(asked, response);
    if (reply === TAKEN || response.headersSent) return;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(reply));
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** Answers with a status and a body as it is. */
export function raw(response: ServerResponse, status: number, body: string | Buffer, headers: Record<string, string> = {}): symbol {
  response.writeHead(status, headers).end(body);
  return TAKEN;
}

/** Leaves the question open. */
export function silence(): symbol {
  return TAKEN;
}

export interface Observed {
  readonly event: string;
  readonly outcome: Outcome;
  readonly ms: number;
}

export interface TestHooks {
  readonly hooks: Hooks;
  readonly observed: Observed[];
  readonly warnings: string[];
}

/** Hooks as a configuration file with this section makes them. */
export async function hooksOf(stage: Stage, section: object): Promise<TestHooks> {
  const observed: Observed[] = [];
  const warnings: string[] = [];
  const hooks = createHttpHooks(await settingsOf(stage, section), {
    appKey: APP_KEY,
    observe: (event, outcome, ms) => observed.push({ event, outcome, ms }),
    warn: (message) => warnings.push(message),
  });
  stage.closeLater(() => hooks.close());
  return { hooks, observed, warnings };
}

export async function settingsOf(stage: Stage, section: object): Promise<HookSettings> {
  return readConfig({ APP_KEY, REALTIME_CONFIG: await stage.file("bellwire.json", JSON.stringify({ hooks: section })) }).hooks;
}

export function asker(more: Partial<Asker> = {}): Asker {
  return { site: "5", user: "42", session: "s1", client: "c1", connection: "socket1", headers: {}, info: undefined, ...more };
}

export function connecting(more: Partial<ConnectQuestion> = {}): ConnectQuestion {
  return { ...asker({ user: "", session: "" }), data: { code: 7 }, claims: undefined, ...more };
}

export function subscribing(topic: string, more: Partial<SubscribeQuestion> = {}): SubscribeQuestion {
  return { ...asker(), topic, filter: {}, ...more };
}

/** What a question was refused with. Anything but the two errors of the interface fails. */
export async function refusalOf(answer: Promise<unknown> | undefined): Promise<BellwireError | Disconnected> {
  expect(answer, "somebody is asked").to.be.instanceOf(Promise);
  try {
    await answer;
  } catch (error) {
    if (error instanceof BellwireError || error instanceof Disconnected) return error;
    throw error;
  }
  throw new Error("Not refused");
}

export async function codeOfRefusal(answer: Promise<unknown> | undefined): Promise<string> {
  const refusal = await refusalOf(answer);
  return refusal instanceof Disconnected ? "disconnected" : refusal.code;
}

/** Checks a signature as Standard Webhooks says, written from its specification alone. @param content of a webhook: its body */
export function isSigned({ headers }: Asked, key: Buffer, content: string): boolean {
  const id = headers["webhook-id"] as string;
  const timestamp = headers["webhook-timestamp"] as string;
  const mac = createHmac("sha256", key).update(`${id}.${timestamp}.${content}`, "utf8").digest("base64");
  const fresh = Math.abs(Date.now() / 1000 - Number(timestamp)) < 300;
  return /^msg_[\w-]+$/.test(id) && fresh && String(headers["webhook-signature"]).split(" ").includes(`v1,${mac}`);
}

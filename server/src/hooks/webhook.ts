import { BellwireError, type JsonObject } from "@bellwire/protocol";
import type { Agent } from "undici";
import { Backend, type Answer, type OutgoingRequest } from "./backend.js";
import { answerOf, BadReply, forbiddenFor } from "./replies.js";
import { Disconnected } from "./hooks.js";
import type { BackendSettings } from "./settings.js";
import { questionId, type Signer } from "./signing.js";
import { Unanswered } from "./unanswered.js";

const LONGEST_AFTER_MS = 3_600_000;

/** An address where questions are posted. */
export class Webhook {
  /** Without the query, which may hold a secret. */
  readonly address: string;
  readonly onFailure: BackendSettings["onFailure"];
  readonly #url: URL;
  readonly backend: Backend;
  readonly #signer: Signer;

  constructor(agent: Agent, settings: BackendSettings, signer: Signer) {
    this.#url = new URL(settings.url);
    this.address = this.#url.origin + this.#url.pathname;
    this.onFailure = settings.onFailure;
    this.backend = new Backend(agent, settings);
    this.#signer = signer;
  }

  /**
   * Posts a question, and reads the reply.
   * @param end milliseconds of `performance.now()` until when it may be answered
   * @throws Unanswered; Disconnected; BellwireError `rejected`, `forbidden`, `not-found`, or what `parse` throws
   */
  async ask<Reply>(body: string, event: string, parse: (source: JsonObject) => Reply, end: number): Promise<Reply> {
    const id = questionId();
    const post = (): OutgoingRequest => ({
      method: "POST",
      url: this.#url,
      headers: { accept: "application/json", "content-type": "application/json", ...this.#signer.sign(id, body) },
      body,
    });
    const answer = await this.backend.ask(post, end);
    try {
      return parse(fieldsOf(answer, event));
    } catch (error) {
      if (error instanceof BadReply) throw new Unanswered("invalid", error.message);
      throw error;
    }
  }
}

function fieldsOf(answer: Answer, event: string): JsonObject {
  const { status } = answer;
  if (status === 200) return answerOf(parseJson(answer.text));
  if (status >= 500) throw new Unanswered("failed", `it answered ${status}`);
  if (status === 401 || status === 403) throw withoutPermission(saidNo(answer));
  const said = status === 422 ? saidNo(answer) : undefined;
  if (said !== undefined) throw said;
  if (status === 429) throw new Unanswered("overloaded", "it answered 429", afterOf(answer));
  if (status === 404 && event === "rpc") throw new BellwireError("not-found", "There is no such method");
  const where = status >= 300 && status < 400 ? ", a redirect, which is not followed" : "";
  throw new BadReply(`it came with the status ${status}${where}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new BadReply("it is not JSON");
  }
}

/** The no that an answer holds, where it is said as in a 200. A framework's own 422 (it could not read the question) is none. */
function saidNo({ text }: Answer): unknown {
  try {
    answerOf(parseJson(text));
  } catch (error) {
    if (!(error instanceof BadReply)) return error;
  }
  return undefined;
}

/** A 401 or 403 is about permission, whatever its body says; what that says is passed on. */
function withoutPermission(said: unknown): unknown {
  return said instanceof Disconnected ? said : forbiddenFor(said instanceof BellwireError ? said.reason : undefined);
}

function afterOf({ header }: Answer): { after?: number } {
  const seconds = Number(header("retry-after") ?? Number.NaN);
  return seconds >= 0 ? { after: Math.min(seconds * 1000, LONGEST_AFTER_MS) } : {};
}

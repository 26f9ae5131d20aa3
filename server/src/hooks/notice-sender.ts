import type { Agent } from "undici";
import { Backend, createAgent, type OutgoingRequest } from "./backend.js";
import type { NoticeSettings } from "./settings.js";
import { questionId, Signer, signingKeys } from "./signing.js";

/** Posts notices to the backend, signed as questions are. */
export class NoticeSender {
  readonly #agent: Agent = createAgent();
  readonly #timeout: number;
  readonly #backend: Backend;
  readonly #signer: Signer;
  /** Without the query, which may hold a secret. */
  readonly address: string;
  readonly #url: URL;

  /** @param appKey signs where there are no secrets */
  constructor({ url, timeout }: NoticeSettings, secrets: readonly string[], appKey: string) {
    this.#url = new URL(url);
    this.address = this.#url.origin + this.#url.pathname;
    this.#backend = new Backend(this.#agent, { timeout, retries: 0, concurrency: 1, queue: 1 });
    this.#timeout = timeout;
    this.#signer = new Signer(signingKeys(secrets, appKey));
  }

  /** Any status of 200 to 299 means "taken". Rejects otherwise; whoever sent it tries again. */
  async deliver(body: object): Promise<void> {
    const text = JSON.stringify(body);
    const post = (): OutgoingRequest => ({
      method: "POST",
      url: this.#url,
      headers: { accept: "application/json", "content-type": "application/json", ...this.#signer.sign(questionId(), text) },
      body: text,
    });
    // No turns: the outbox sends one body after the other.
    const { status } = await this.#backend.ask(post, performance.now() + this.#timeout);
    if (status < 200 || status > 299) throw new Error(`it answered ${status}`);
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

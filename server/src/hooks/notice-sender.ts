import type { Agent } from "undici";
import { Backend, createAgent } from "./backend.js";
import type { NoticeSettings } from "./settings.js";
import { questionId, Signer, signingKeys } from "./signing.js";

/** Bodies under way at a time; the outbox sends them one after the other anyway. */
const AT_ONCE = 4;

/** Posts notices to the backend, signed as questions are. */
export class NoticeSender {
  readonly #agent: Agent = createAgent();
  readonly #backend: Backend;
  readonly #signer: Signer;
  /** Without the query, which may hold a secret. */
  readonly address: string;
  readonly #url: URL;

  /** @param appKey signs where there are no secrets */
  constructor({ url, timeout }: NoticeSettings, secrets: readonly string[], appKey: string) {
    this.#url = new URL(url);
    this.address = this.#url.origin + this.#url.pathname;
    this.#backend = new Backend(this.#agent, { timeout, retries: 0, concurrency: AT_ONCE, queue: AT_ONCE });
    this.#signer = new Signer(signingKeys(secrets, appKey));
  }

  /** Any status of 200 to 299 means "taken". Rejects otherwise; whoever sent it tries again. */
  async deliver(body: object): Promise<void> {
    const text = JSON.stringify(body);
    const { status } = await this.#backend.ask(() => ({
      method: "POST",
      url: this.#url,
      headers: { accept: "application/json", "content-type": "application/json", ...this.#signer.sign(questionId(), text) },
      body: text,
    }));
    if (status < 200 || status > 299) throw new Error(`it answered ${status}`);
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

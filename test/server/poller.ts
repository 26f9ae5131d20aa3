/** Engine.IO over HTTP long polling by hand: what is sent and received are payloads as they stand on the wire. */
export class Poller {
  readonly sid: string;
  readonly #url: string;

  private constructor(url: string, sid: string) {
    this.#url = `${url}/socket.io/?EIO=4&transport=polling&sid=${sid}`;
    this.sid = sid;
  }

  /** @param url of the relay, e.g. `http://127.0.0.1:6200` */
  static async open(url: string): Promise<Poller> {
    const text = await (await fetch(`${url}/socket.io/?EIO=4&transport=polling`)).text();
    return new Poller(url, (JSON.parse(text.slice(1)) as { sid: string }).sid);
  }

  async send(packet: string): Promise<void> {
    const { status } = await fetch(this.#url, { method: "POST", body: packet });
    if (status !== 200) throw new Error(`Not taken: ${status}`);
  }

  /** What one poll brings. */
  async poll(): Promise<string> {
    const { status, text } = await this.get();
    if (status !== 200) throw new Error(`Not polled: ${status} ${text}`);
    return text;
  }

  async get(): Promise<{ readonly status: number; readonly text: string }> {
    const response = await fetch(this.#url);
    return { status: response.status, text: await response.text() };
  }
}

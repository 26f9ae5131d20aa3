// WebSocket and polling for browsers. An engine hears of them through `onPacket`, `onWritten`, `onError` and `onClose`.
const SEPARATOR = "\x1e";

export class TextWebSocket {
  #engine;
  #socket;
  #isClosed = false;

  constructor(engine) {
    this.#engine = engine;
  }

  open() {
    // Where the constructor throws, as under a Content Security Policy, nobody listens yet.
    Promise.resolve().then(() => {
      if (this.#isClosed) return;
      try {
        this.#listen(new WebSocket(this.#engine.uri("ws", "websocket")));
      } catch {
        this.#engine.onError("websocket error");
      }
    });
  }

  #listen(socket) {
    this.#socket = socket;
    const unlessClosed = (run) => (event) => this.#isClosed || run(event);
    socket.onclose = unlessClosed(() => this.#engine.onClose());
    socket.onmessage = unlessClosed(({ data }) => this.#engine.onPacket(data));
    socket.onerror = unlessClosed(() => this.#engine.onError("websocket error"));
  }

  write(packets) {
    // A socket that is closing takes no more, and says so itself.
    for (const packet of packets) if (this.#socket.readyState === 1) this.#socket.send(packet);
    Promise.resolve().then(() => this.#isClosed || this.#engine.onWritten());
  }

  close() {
    this.#isClosed = true;
    this.#socket?.close();
  }
}

export class Polling {
  /** What one request may hold is bounded. */
  isBounded = true;
  #engine;
  #credentials;
  #isOpen = false;
  #isClosed = false;
  #polls = 0;

  constructor(engine, withCredentials) {
    this.#engine = engine;
    this.#credentials = withCredentials ? "include" : "same-origin";
  }

  open() {
    this.#exchange().then(
      (text) => {
        for (const packet of text.split(SEPARATOR)) {
          // One that is given up before it opened is closed as soon as it has a name.
          if (!this.#isClosed || packet[0] === "0") this.#engine.onPacket(packet);
        }
        const wasOpen = this.#isOpen;
        this.#isOpen = true;
        if (!this.#isClosed) this.open();
        else if (!wasOpen) this.close();
      },
      () => this.#isClosed || this.#engine.onError("fetch read error"),
    );
  }

  write(packets) {
    this.#exchange(packets.join(SEPARATOR)).then(
      () => this.#isClosed || this.#engine.onWritten(),
      () => this.#isClosed || this.#engine.onError("fetch write error"),
    );
  }

  close() {
    this.#isClosed = true;
    // Where the relay is not there to hear it, it needs not hear it.
    if (this.#isOpen) this.#exchange("1").catch(() => {});
  }

  async #exchange(body) {
    const moment = `&t=${Date.now().toString(36)}${++this.#polls}`;
    const response = await fetch(this.#engine.uri("http", "polling", moment), {
      method: body === undefined ? "GET" : "POST",
      body,
      credentials: this.#credentials,
    });
    if (!response.ok) throw new Error(response.status);
    return response.text();
  }
}

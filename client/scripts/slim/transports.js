// WebSocket and polling for browsers: no React Native, no options of Node, no XMLHttpRequest, no WebTransport.
import { encode as encodePacket } from "./engine.io-parser.js";
import { nextTick } from "bellwire:engine/globals.js";
import { Transport } from "bellwire:engine/transport.js";
import { Polling } from "bellwire:engine/transports/polling.js";

class TextWebSocket extends Transport {
  get name() {
    return "websocket";
  }

  doOpen() {
    // Where the constructor throws, as under a Content Security Policy, nobody listens yet.
    nextTick(() => {
      if (this.readyState !== "opening") return;
      try {
        this.#open(new WebSocket(this.createUri(this.opts.secure ? "wss" : "ws", this.query)));
      } catch (error) {
        this.onError("websocket error", error);
      }
    });
  }

  #open(socket) {
    this.ws = socket;
    socket.onopen = () => this.onOpen();
    socket.onclose = (context) => this.onClose({ description: "websocket connection closed", context });
    socket.onmessage = ({ data }) => this.onData(data);
    socket.onerror = (event) => this.onError("websocket error", event);
  }

  write(packets) {
    this.writable = false;
    // A socket that is closing takes no more, and says so itself.
    for (const packet of packets) if (this.ws.readyState === 1) this.ws.send(encodePacket(packet));
    nextTick(() => {
      this.writable = true;
      this.emitReserved("drain");
    });
  }

  doClose() {
    if (this.ws === undefined) return;
    this.ws.onerror = null;
    this.ws.close();
  }
}

// engine.io-client's own fetch transport leaves a rejection unhandled when a connection breaks within a response.
class FetchPolling extends Polling {
  doPoll() {
    this.#exchange("read").then(
      (text) => this.onData(text),
      (error) => this.onError("fetch read error", error),
    );
  }

  doWrite(data, done) {
    this.#exchange("write", data).then(done, (error) => this.onError("fetch write error", error));
  }

  async #exchange(what, body) {
    const response = await fetch(this.uri(), {
      method: body === undefined ? "GET" : "POST",
      body,
      credentials: this.opts.withCredentials ? "include" : "same-origin",
    });
    if (!response.ok) throw new Error(`${what}: ${response.status}`);
    return response.text();
  }
}

export const transports = { websocket: TextWebSocket, polling: FetchPolling };

// Engine.IO's client for browsers: WebSocket first, polling where that is barred, no upgrades in between, no options of Node, no binary packets. It behaves as engine.io-client's own, in a third of it.
import { Emitter } from "@socket.io/component-emitter";
import { Polling, TextWebSocket } from "./transports.js";

/** One connection. Emits `open`, `data`, `error`, `close` and `drain`. */
export class Socket extends Emitter {
  readyState = "opening";
  #url;
  #opts;
  #transports;
  #id;
  #buffer = [];
  /** How many of the buffer the transport is writing. */
  #writing = 0;
  #patience = Infinity;
  #maxPayload = 0;
  #pingTimer;
  #expires = Infinity;
  #offline = () => this.onClose();

  constructor(uri, opts) {
    super();
    this.#url = new URL(uri);
    this.#opts = opts;
    this.#transports = [...opts.transports];
    // Not for a relay on this machine.
    if (typeof addEventListener === "function" && this.#url.hostname !== "localhost") addEventListener("offline", this.#offline);
    this.#open();
  }

  #open() {
    this.transport = this.#transports[0] === "polling" ? new Polling(this, this.#opts.withCredentials) : new TextWebSocket(this);
    this.transport.open();
  }

  /** Where a transport goes. `scheme` is ws or http. */
  uri(scheme, name, more = "") {
    const { protocol, host } = this.#url;
    const sid = this.#id === undefined ? "" : `&sid=${this.#id}`;
    return `${scheme}${/^(wss|https)/.test(protocol) ? "s" : ""}://${host}${this.#opts.path}?EIO=4&transport=${name}${sid}${more}`;
  }

  write(data) {
    this.#send(`4${data}`);
  }

  /** What is being written goes out first. */
  close() {
    if (this.readyState !== "opening" && this.readyState !== "open") return;
    this.readyState = "closing";
    if (this.#buffer.length > 0) this.once("drain", () => this.onClose("forced close"));
    else this.onClose("forced close");
  }

  _hasPingExpired() {
    const isExpired = Date.now() > this.#expires;
    // Timers may have slept.
    if (isExpired) Promise.resolve().then(() => this.onClose("ping timeout"));
    return isExpired;
  }

  onPacket(packet) {
    const data = packet.slice(1);
    if (packet[0] === "0") this.#greeted(JSON.parse(data));
    else if (this.readyState === "closed") return;
    else if (packet[0] === "1") this.onClose();
    else if (packet[0] === "2") {
      this.#alive();
      this.#send("3");
    } else if (packet[0] === "4") this.emit("data", data);
  }

  /** The transport has written all that it was given. */
  onWritten() {
    this.#buffer.splice(0, this.#writing);
    this.#writing = 0;
    if (this.#buffer.length === 0) this.emit("drain");
    else this.#flush();
  }

  onError(message) {
    if (this.readyState === "opening" && this.#transports.length > 1) {
      this.#transports.shift();
      this.transport.close();
      return this.#open();
    }
    if (this.readyState !== "closed") this.emit("error", new Error(message));
    this.onClose("transport error");
  }

  onClose(reason = "transport close") {
    if (this.readyState === "closed") return;
    clearTimeout(this.#pingTimer);
    if (typeof removeEventListener === "function") removeEventListener("offline", this.#offline);
    this.readyState = "closed";
    this.transport.close();
    this.#buffer = [];
    this.emit("close", reason);
  }

  #greeted({ sid, pingInterval, pingTimeout, maxPayload }) {
    // Also where it is given up: the session is to be closed by its name.
    this.#id = sid;
    if (this.readyState !== "opening") return;
    this.#patience = pingInterval + pingTimeout;
    this.#maxPayload = maxPayload;
    this.#alive();
    this.readyState = "open";
    this.emit("open");
  }

  #alive() {
    clearTimeout(this.#pingTimer);
    this.#expires = Date.now() + this.#patience;
    this.#pingTimer = setTimeout(() => this.onClose("ping timeout"), this.#patience);
  }

  #send(packet) {
    if (this.readyState !== "open") return;
    this.#buffer.push(packet);
    this.#flush();
  }

  #flush() {
    if (this.#writing > 0 || this.readyState === "closed") return;
    let length = 0;
    // A character takes up to three bytes.
    const end = this.#buffer.findIndex((packet, i) => (length += packet.length * 3 + 1) > this.#maxPayload && i > 0);
    const packets = end > 0 && this.transport.isBounded ? this.#buffer.slice(0, end) : [...this.#buffer];
    this.#writing = packets.length;
    this.transport.write(packets);
  }
}

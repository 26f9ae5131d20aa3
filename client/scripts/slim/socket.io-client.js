// What the client's link uses of socket.io-client: one namespace on one connection, events and acks of Socket.IO's protocol 5, all
// of it JSON. No reconnection and no buffers: a link ends with its connection, and speaks only while that is open.
import { Emitter } from "@socket.io/component-emitter";
import { Socket as Engine } from "engine.io-client";

const [CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR] = [0, 1, 2, 3, 4];

export class Manager {
  constructor(uri, options) {
    this.uri = uri;
    this.options = options;
  }

  socket(namespace, { auth }) {
    return new Socket(this, namespace, auth);
  }
}

class Socket extends Emitter {
  connected = false;
  #ids = 0;
  #acks = new Map();
  #manager;
  #namespace;
  #auth;
  #any;
  #engine;
  #timer;

  constructor(manager, namespace, auth) {
    super();
    this.#manager = manager;
    this.#namespace = namespace;
    this.#auth = auth;
  }

  onAny(listener) {
    this.#any = listener;
  }

  offAny() {
    this.#any = undefined;
  }

  connect() {
    const { uri, options } = this.#manager;
    const engine = (this.#engine = new Engine(uri, options));
    this.#timer = setTimeout(() => this.#failed(new Error("timeout")), options.timeout);
    engine.on("open", () => {
      clearTimeout(this.#timer);
      this.#write(CONNECT, this.#auth);
    });
    engine.on("data", (text) => this.#read(text));
    engine.on("error", (error) => this.connected || this.#failed(error));
    engine.on("close", (reason) => this.#ended(reason));
  }

  emit(event, payload, ack) {
    // A page that slept finds here that the relay's pings have stopped; the engine then closes by itself.
    if (this.#engine._hasPingExpired()) return;
    this.#acks.set(this.#ids, ack);
    this.#write(EVENT, [event, payload], this.#ids++);
  }

  disconnect() {
    if (this.connected) this.#write(DISCONNECT);
    this.#ended("io client disconnect");
  }

  #write(type, data, id = "") {
    this.#engine.write(`${type}${this.#namespace},${id}${data === undefined ? "" : JSON.stringify(data)}`);
  }

  #read(text) {
    let packet;
    try {
      packet = decode(text);
    } catch {
      return this.#ended("parse error");
    }
    const { type, namespace, id, data } = packet;
    if (namespace !== this.#namespace) return;
    if (type === CONNECT) this.connected = true;
    else if (type === DISCONNECT) this.#ended("io server disconnect");
    else if (type === CONNECT_ERROR) this.#failed(Object.assign(new Error(data.message), { data: data.data }));
    else if (type === EVENT) this.#any?.(...data);
    else {
      const ack = this.#acks.get(id);
      this.#acks.delete(id);
      ack?.(...data);
    }
  }

  #failed(error) {
    this.#close();
    this.emitReserved("connect_error", error);
  }

  #ended(reason) {
    this.#close();
    this.emitReserved("disconnect", reason);
  }

  #close() {
    clearTimeout(this.#timer);
    this.connected = false;
    this.#engine.off();
    this.#engine.close();
  }
}

/** Throws what closes the connection: a packet that none should send. */
function decode(text) {
  const [, type, namespace = "/", id, data] = /^([0-4])(?:(\/[^,]*),)?(\d*)(.*)$/s.exec(text);
  const packet = { type: +type, namespace, id: +id, data: data === "" ? undefined : JSON.parse(data) };
  const list = packet.type === EVENT || packet.type === ACK;
  if (list ? !Array.isArray(packet.data) : packet.type !== DISCONNECT && !packet.data) throw new Error("invalid payload");
  return packet;
}

// Methods of engine.io-client's classes that the client never reaches. Classes can't be tree-shaken by method, so it is done by
// name, on the published, uniformly formatted source; a name that is not there fails the build rather than passing unnoticed.

/** By file: what is removed, what is still called but has nothing to do, and what is written anew for the options that a link gives. */
export const pruned = {
  "engine.io-client/build/esm/socket.js": {
    // A connection keeps the transport that it opened with.
    empty: ["_probe", "_filterUpgrades"],
    remove: ["send"],
    anew: {
      constructor: `    constructor(uri, opts) {
        super();
        const { host, protocol, port } = parse(uri);
        installTimerFunctions(this, opts);
        this.writeBuffer = [];
        this._prevBufferLen = 0;
        this._pingTimeoutTime = Infinity;
        this.secure = protocol === "https" || protocol === "wss";
        this.hostname = host;
        this.port = port;
        this.transports = [...opts.transports];
        this._transportsByName = DEFAULT_TRANSPORTS;
        this.opts = { timestampParam: "t", ...opts, transportOptions: {} };
        if (withEventListeners && host !== "localhost") {
            this._offlineEventListener = () => this._onClose("transport close");
            OFFLINE_EVENT_LISTENERS.push(this._offlineEventListener);
        }
        this._open();
    }`,
      close: `    close() {
        const close = () => {
            this._onClose("forced close");
            this.transport.close();
        };
        if ("opening" === this.readyState || "open" === this.readyState) {
            this.readyState = "closing";
            if (this.writeBuffer.length) this.once("drain", close);
            else close();
        }
    }`,
      _sendPacket: `    _sendPacket(type, data) {
        if ("closing" === this.readyState || "closed" === this.readyState) return;
        this.writeBuffer.push({ type, data });
        this.flush();
    }`,
    },
  },
};

/** @param {string} source @param {{empty: string[], remove: string[], anew: Record<string, string>}} names */
export function prune(source, { empty, remove, anew }) {
  const cut = (text, name, by) => {
    const method = new RegExp(`^    (?:get )?${name}\\(.*\\) \\{\\n(?:.*\\n)*?    \\}$`, "m");
    if (!method.test(text)) throw new Error(`engine.io-client has no method ${name} any more: look at scripts/slim/prune.mjs`);
    return text.replace(method, () => by);
  };
  const changes = [...empty.map((name) => [name, `    ${name}() {}`]), ...remove.map((name) => [name, ""]), ...Object.entries(anew)];
  return changes.reduce((text, [name, by]) => cut(text, name, by), source);
}

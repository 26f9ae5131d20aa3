// The same emitter, without its aliases for other libraries.
export class Emitter {
  on(event, listener) {
    // No prototype: an event may be named like a method of all objects.
    ((this._callbacks ??= Object.create(null))[event] ??= []).push(listener);
    return this;
  }

  once(event, listener) {
    const once = (...args) => {
      this.off(event, once);
      listener.apply(this, args);
    };
    once.listener = listener;
    return this.on(event, once);
  }

  off(event, listener) {
    if (event === undefined) this._callbacks = Object.create(null);
    else if (listener === undefined) delete this._callbacks?.[event];
    else {
      const listeners = this._callbacks?.[event] ?? [];
      const at = listeners.findIndex((own) => own === listener || own.listener === listener);
      if (at >= 0) listeners.splice(at, 1);
    }
    return this;
  }

  emit(event, ...args) {
    for (const listener of [...(this._callbacks?.[event] ?? [])]) listener.apply(this, args);
    return this;
  }
}

Object.assign(Emitter.prototype, {
  emitReserved: Emitter.prototype.emit,
  removeListener: Emitter.prototype.off,
  removeAllListeners: Emitter.prototype.off,
});

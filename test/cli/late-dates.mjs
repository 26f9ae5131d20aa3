// Puts the clock of a process two minutes back: what a relay checks tokens by, and the Date of its answers, which Node takes from
// a clock of its own.
import { Server } from "node:http";

const now = Date.now;
Date.now = () => now() - 120_000;

const { emit } = Server.prototype;
Server.prototype.emit = function (event, ...args) {
  if (event === "request") args[1].setHeader("Date", new Date(Date.now()).toUTCString());
  return emit.call(this, event, ...args);
};

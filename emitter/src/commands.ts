/** The words of control: commands, what owners hold, and revocations. For the relay; not part of the public API. */
export * from "./control/command.js";
export * from "./control/held.js";
export * from "./control/revocation.js";

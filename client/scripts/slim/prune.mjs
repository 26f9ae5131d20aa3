// Methods of engine.io-client's classes that the client never reaches. Classes can't be tree-shaken by method, so it is done by
// name, on the published, uniformly formatted source; a name that is not there fails the build rather than passing unnoticed.

/** By file: what is removed, and what is still called but has nothing to do. */
export const pruned = {
  // A connection keeps the transport that it opened with.
  "engine.io-client/build/esm/socket.js": { empty: ["_probe"], remove: ["send"] },
};

/** @param {string} source @param {{empty: string[], remove: string[]}} names */
export function prune(source, { empty, remove }) {
  const cut = (text, name, by) => {
    const method = new RegExp(`^    (?:get )?${name}\\(.*\\) \\{\\n(?:.*\\n)*?    \\}$`, "m");
    if (!method.test(text)) throw new Error(`engine.io-client has no method ${name} any more: look at scripts/slim/prune.mjs`);
    return text.replace(method, by);
  };
  const emptied = empty.reduce((text, name) => cut(text, name, `    ${name}() {}`), source);
  return remove.reduce((text, name) => cut(text, name, ""), emptied);
}
